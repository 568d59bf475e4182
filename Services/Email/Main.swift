import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "email", defaultPort: 8084, openAPI: PackageResources.openapi_yaml,
            about: "Writes to customers about their orders, and to the owners of webhook endpoints.",
            variables: EmailSettings.variables + [.databaseImport]
                + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
