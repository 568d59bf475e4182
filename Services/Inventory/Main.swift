import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "inventory", defaultPort: 8083, openAPI: PackageResources.openapi_yaml,
            about: "Owns the catalogue and the stock, and holds stock for orders.",
            variables: [AnswerDelay.variable, .databaseImport] + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
