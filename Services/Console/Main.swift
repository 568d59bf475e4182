import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "console", defaultPort: 8080, openAPI: PackageResources.openapi_yaml,
            about: "Shows the shop at work: services, queues, orders' timelines, dead letters.",
            variables: ConsoleSettings.variables
        ) { try await build($0) }
    }
}
