import Messaging
import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "loyalty", defaultPort: 8085, openAPI: PackageResources.openapi_yaml,
            about: "Gives customers points for confirmed orders.",
            variables: [AnswerDelay.variable, .databaseImport] + EnvironmentVariable.all(MessagingSettings.variables)
        ) { try await build($0) }
    }
}
