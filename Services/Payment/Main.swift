import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "payment", defaultPort: 8082, openAPI: PackageResources.openapi_yaml,
            about: "Takes and returns the money for orders through a payment gateway.",
            variables: [
                EnvironmentVariable("PAYMENT_WEBHOOK_SECRET", "shared with order; whsec_ and base64 of 24 to 64 bytes"),
                EnvironmentVariable(
                    "ORDER_WEBHOOK_URL", "where results are reported",
                    default: "http://127.0.0.1:8081/webhooks/payments"),
                EnvironmentVariable(
                    "GATEWAY_DATABASE_URL", "the simulated gateway's own books", default: "sqlite:gateway.sqlite"),
                EnvironmentVariable(
                    "GATEWAY_DELAY_MILLISECONDS", "how long the gateway takes for a result", default: "200"),
                EnvironmentVariable("GATEWAY_SLOW_DELAY_MILLISECONDS", "the same for pm_slow", default: "20000"),
                AnswerDelay.variable, .databaseImport,
                EnvironmentVariable("GATEWAY_DATABASE_IMPORT", "the same for the gateway's books", default: ""),
            ] + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
