import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "broker", defaultPort: 4566, openAPI: PackageResources.openapi_yaml,
            about: "Amazon SQS and SNS for one machine, stored in SQLite.",
            variables: [
                EnvironmentVariable(
                    "BROKER_ACCOUNT_ID", "the account in ARNs and queue URLs", default: "000000000000"),
                EnvironmentVariable(
                    "BROKER_CA_FILE",
                    "a PEM file with certificates that https endpoints are trusted by, besides the system's",
                    default: ""),
                EnvironmentVariable(
                    "AWS_ACCESS_KEY_ID", "what requests must be signed with; without it all may come in", default: ""),
                EnvironmentVariable("AWS_SECRET_ACCESS_KEY", "its secret", default: ""),
            ],
            isOnOneLoop: true
        ) { try await build($0) }
    }
}
