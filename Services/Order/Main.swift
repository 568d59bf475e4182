import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "order", defaultPort: 8081, openAPI: PackageResources.openapi_yaml,
            about: "Takes orders and decides what happens next to each of them.",
            variables: [
                EnvironmentVariable(
                    "PAYMENT_WEBHOOK_SECRET", "shared with payment; whsec_ and base64 of 24 to 64 bytes"),
                EnvironmentVariable(
                    "PAYMENT_TIMEOUT_SECONDS", "how long an order waits for its money, 1 to 900", default: "15"),
                EnvironmentVariable("INVENTORY_URL", "for quotes over HTTP", default: "http://127.0.0.1:8083"),
                EnvironmentVariable("LOYALTY_URL", "the same", default: "http://127.0.0.1:8085"),
                EnvironmentVariable("PAYMENT_URL", "the same", default: "http://127.0.0.1:8082"),
                .databaseImport,
            ] + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
