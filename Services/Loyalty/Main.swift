import ServiceKit

@main
struct Main {
    static func main() async {
        await ServiceMain.run(
            "loyalty", defaultPort: 8085, openAPI: PackageResources.openapi_yaml,
            about: "Gives customers points for confirmed orders."
        ) { chassis in
            try await build(chassis)
        }
    }
}
