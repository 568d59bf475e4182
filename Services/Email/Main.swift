import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "email", defaultPort: 8084, openAPI: PackageResources.openapi_yaml,
            about: "Writes to customers when an order is confirmed, cancelled or refunded.",
            variables: EmailSettings.variables + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
