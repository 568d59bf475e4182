import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "notification", defaultPort: 8086, openAPI: PackageResources.openapi_yaml,
            about: "Tells customers what happens to their orders, and merchants' endpoints by webhook.",
            variables: [
                EnvironmentVariable(
                    "HOLD_BACK_SECONDS", "how long a line waits for what comes before it, 1 to 900", default: "60"),
                EnvironmentVariable(
                    "STREAM_HEARTBEAT_SECONDS", "how often a silent stream gives a sign of life, 1 to 60",
                    default: "15"),
                .databaseImport,
            ] + WebhookSettings.variables + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
