import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "notification", defaultPort: 8086, openAPI: PackageResources.openapi_yaml,
            about: "Tells customers what happens to their orders."
        ) { chassis in
            try await build(chassis)
        }
    }
}
