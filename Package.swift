// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with: the Swift 6 language mode, and a warning is an error.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// How programs are linked in release on Linux. One that exports no symbols, as only plug-ins would need, loses the code
/// that nothing calls; at a fixed address it needs no relocation, whose table would be read into memory at each start.
/// Together, with the runtime linked in (see deploy/lib.sh), that is a quarter of what a process takes.
let compact: [LinkerSetting] = [
    .unsafeFlags(
        ["-Xclang-linker", "-no-pie", "-Xlinker", "--no-export-dynamic"],
        .when(platforms: [.linux], configuration: .release))
]

/// A library in `Shared/`, with its tests in `Tests/`, which may need more than it does.
func shared(
    _ name: String, _ dependencies: [Target.Dependency] = [], testing: [Target.Dependency] = [],
    fixtures: [String] = []
) -> [Target] {
    [
        .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: strict),
        tests(name, dependencies + testing, fixtures: fixtures),
    ]
}

/// A service in `Services/` on the common chassis, with its tests in `Tests/`. Its `openapi.yaml` and the
/// `resources` are compiled into the executable, which is then one file that runs anywhere.
func service(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [String] = [],
    testing: [Target.Dependency] = [], fixtures: [String] = []
) -> [Target] {
    let chassis: [Target.Dependency] = [
        "Persistence", "ServiceKit", "Telemetry", httpTypes, hummingbird, lifecycle, log,
    ]
    return [
        .executableTarget(
            name: name, dependencies: chassis + dependencies, path: "Services/\(name)", exclude: ["README.md"],
            resources: (["openapi.yaml"] + resources).map { .embedInCode($0) }, swiftSettings: strict,
            linkerSettings: compact),
        tests(name, chassis + dependencies + [hummingbirdTesting] + testing, fixtures: fixtures),
    ]
}

/// A service of the shop: one that also consumes and publishes messages.
func shopService(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [String] = [],
    testing: [Target.Dependency] = [], fixtures: [String] = []
) -> [Target] {
    service(
        name, ["Contracts", "Messaging", "Outbox"] + dependencies, resources: resources, testing: testing,
        fixtures: fixtures)
}

/// `fixtures` are files that the tests read from the checkout.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], fixtures: [String] = []) -> Target {
    let own: [Target.Dependency] = [.target(name: name), "TestSupport"]
    return .testTarget(
        name: "\(name)Tests", dependencies: own + dependencies, path: "Tests/\(name)Tests", exclude: fixtures,
        swiftSettings: strict)
}

/// Off unless asked for, so that the shop builds without libpq: `swift build --traits PostgreSQL`.
let postgreSQL = "PostgreSQL"

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let certificates = Target.Dependency.product(name: "X509", package: "swift-certificates")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")

/// Read from the checkout by the tests that run them.
let pythonTests =
    [
        "access", "aws", "cli", "crash", "disk", "fifo", "filters", "frameworks", "https", "kubernetes", "malformed",
        "messages", "notifications", "openapi", "otlp", "query", "queues", "redrive", "topics",
    ].map { "test_\($0).py" } + [
        "conftest.py", "digests.py", "moto_server.py", "processes.py", "receiver.py", "schemathesis_hooks.py",
        "shop_processes.py", "workers.py",
    ]

let package = Package(
    name: "async-shop",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "broker", targets: ["Broker"]),
        .executable(name: "order", targets: ["Order"]),
        .executable(name: "payment", targets: ["Payment"]),
        .executable(name: "inventory", targets: ["Inventory"]),
        .executable(name: "email", targets: ["Email"]),
        .executable(name: "loyalty", targets: ["Loyalty"]),
        .executable(name: "notification", targets: ["Notification"]),
        .executable(name: "console", targets: ["Console"]),
        .executable(name: "shop", targets: ["Shop"]),
    ],
    traits: [
        .trait(name: postgreSQL, description: "PostgreSQL as the second engine of Persistence; needs libpq.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // Shared, in dependency order
        shared("Contracts", fixtures: ["Fixtures"]),
        shared("Telemetry", [httpClient, log, metrics, tracing, nio, lifecycle]),
        shared(
            "Persistence",
            [
                grdb, grdbSQLite, log, metrics, tracing,
                .target(name: "CPostgreSQL", condition: .when(traits: [postgreSQL])),
            ],
            testing: ["Telemetry"]),
        shared("Webhooks", [crypto, httpClient, nio]),
        shared("AWSSignature", [crypto]),
        shared(
            "Messaging", ["AWSSignature", "Contracts", "Telemetry", httpClient, lifecycle, log, metrics, tracing, nio],
            testing: [httpTypes, hummingbird]),
        shared("Outbox", ["Contracts", "Messaging", "Persistence", "Telemetry", lifecycle, log, metrics, tracing]),
        shared(
            "ServiceKit",
            [
                "Telemetry", configuration, httpTypes, hummingbird, hummingbirdCore, lifecycle, log, metrics, tracing,
                nio, nioHTTP, nioHTTPTypes, nioHTTPTypesHTTP1, nioPosix,
            ],
            testing: [hummingbirdTesting]),

        // Services
        service(
            "Broker",
            [
                "AWSSignature", asn1, certificates, collections, crypto, cryptoExtras, httpClient, metrics, nio,
                nioHTTP, nioPosix, nioSSL,
            ]),
        shopService("Order", ["Webhooks", crypto, httpClient, metrics, nio, tracing]),
        shopService("Payment", ["Webhooks", httpClient, nio]),
        shopService("Inventory", resources: ["products.json"]),
        shopService(
            "Email", ["CCurl", mustache], resources: ["templates"], testing: [subprocess],
            fixtures: ["smtp_server.py"]),
        shopService("Loyalty"),
        shopService("Notification", ["Webhooks", metrics, tracing]),
        service(
            "Console",
            ["CZlib", "Contracts", "Messaging", crypto, httpClient, metrics, nio, nioPosix],
            resources: ["Page"], testing: [tracing], fixtures: ["otlp_export.py"]),

        // The command line
        [
            .executableTarget(
                name: "Shop",
                dependencies: [
                    "AWSSignature", "Webhooks", argumentParser, histogram, httpClient, httpTypes, hummingbird,
                    lifecycle, log, nio, nioPosix, nioSSL, subprocess, system, unixSignals,
                ],
                path: "deploy/cli", swiftSettings: strict, linkerSettings: compact),
            tests("Shop", [hummingbirdTesting, nio, subprocess]),
        ],

        // Tests
        [
            .systemLibrary(
                name: "CCurl", path: "Shared/CCurl", pkgConfig: "libcurl",
                providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
            .systemLibrary(
                name: "CPostgreSQL", path: "Shared/CPostgreSQL", pkgConfig: "libpq",
                providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
            .systemLibrary(
                name: "CZlib", path: "Shared/CZlib", pkgConfig: "zlib",
                providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
            .target(
                name: "TestSupport",
                dependencies: [
                    "Contracts", "Messaging", "Persistence", "Outbox", "Telemetry", hummingbird, lifecycle, log, nio,
                    subprocess, system,
                ],
                path: "Shared/TestSupport", swiftSettings: strict),
            .testTarget(
                name: "SystemTests",
                dependencies: [
                    "Broker", "Order", "Payment", "Inventory", "Email", "Loyalty", "Notification", "Console", "Shop",
                    "AWSSignature", "Contracts", "Messaging", "Webhooks", "TestSupport", httpClient, hummingbird, nio,
                    subprocess, system,
                ],
                path: "Tests/SystemTests", exclude: ["test_console.py"], swiftSettings: strict),
            .testTarget(
                name: "ConformanceTests",
                dependencies: [
                    "Broker", "Order", "Payment", "Inventory", "Email", "Loyalty", "Notification", "TestSupport",
                ],
                path: "Tests/ConformanceTests", exclude: pythonTests, swiftSettings: strict),
            .testTarget(name: "TidyTests", path: "Tests/TidyTests", swiftSettings: strict),
        ],
    ].flatMap { $0 }
)
