import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "notification", defaultPort: 8086, openAPI: PackageResources.openapi_yaml,
            about: "Tells customers what happens to their orders.",
            variables: EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
