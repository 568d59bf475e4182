import Foundation
import Testing

@testable import Shop

@Suite struct ServiceTableTests {
    private let keys = Keys(values: ["PAYMENT_WEBHOOK_SECRET": "whsec_x", "AWS_ACCESS_KEY_ID": "a"])

    private func entry(_ name: String) throws -> ServiceEntry {
        try #require(ServiceTable.all.first { $0.name == name })
    }

    @Test func theBrokerComesFirstAndNamesAndPortsAreDistinct() {
        #expect(ServiceTable.all.first?.name == "broker")
        #expect(Set(ServiceTable.all.map(\.name)).count == ServiceTable.all.count)
        #expect(Set(ServiceTable.all.map(\.port)).count == ServiceTable.all.count)
    }

    @Test func theOffsetMovesEachPort() throws {
        let addresses = try Addresses(portOffset: 1000)
        #expect(try addresses.url(of: "order") == "http://127.0.0.1:9081")
        #expect(try addresses.port(of: entry("broker")) == 5566)
    }

    @Test(arguments: [60_000, -4566, Int(Int32.max)])
    func anOffsetOutOfRangeIsRefused(offset: Int) {
        #expect(throws: ShopError.self) { try Addresses(portOffset: offset) }
    }

    @Test func aServiceIsToldWhereEverythingIs() throws {
        let addresses = try Addresses(portOffset: 10)
        let payment = try addresses.environment(of: entry("payment"), data: "/data", keys: keys)
        #expect(payment["HOST"] == "127.0.0.1")
        #expect(payment["PORT"] == "8092")
        #expect(payment["DATABASE_URL"] == "sqlite:/data/payment.sqlite")
        #expect(payment["GATEWAY_DATABASE_URL"] == "sqlite:/data/gateway.sqlite")
        #expect(payment["ORDER_WEBHOOK_URL"] == "http://127.0.0.1:8091/webhooks/payments")
        let order = try addresses.environment(of: entry("order"), data: "/data", keys: keys)
        #expect(order["INVENTORY_URL"] == "http://127.0.0.1:8093")
        #expect(order["LOYALTY_URL"] == "http://127.0.0.1:8095")
        #expect(order["PAYMENT_URL"] == "http://127.0.0.1:8092")
        #expect(payment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4576")
        #expect(payment["PAYMENT_WEBHOOK_SECRET"] == "whsec_x")
        #expect(payment.keys.contains("AWS_SESSION_TOKEN"), "a token of the caller's own account is kept out")
        #expect(try addresses.environment(of: entry("email"), data: "/data", keys: keys)["MAILDIR"] == "/data/maildir")
    }

    @Test func aSubsetKeepsTheOrderOfTheTable() throws {
        #expect(try ServiceTable.selection("order, broker").map(\.name) == ["broker", "order"])
        #expect(try ServiceTable.selection(nil) == ServiceTable.all)
        #expect(throws: ShopError.self) { try ServiceTable.selection("order,nothing") }
        #expect(throws: ShopError.self) { try ServiceTable.selection("") }
    }

    @Test func replicasHavePortsNamesAndLogsOfTheirOwn() throws {
        let server = "postgres://shop@db/{service}"
        let replicas = try Replicas("email=2, order=1", databases: server)
        let entries = replicas.applied(to: try ServiceTable.selection("broker,payment,email"))
        #expect(entries.map(\.processName) == ["broker", "payment", "email", "email-2"])
        #expect(entries.map(\.port) == [4566, 8082, 8084, 8184])
        let addresses = try Addresses(portOffset: 10)
        func environment(_ index: Int) throws -> [String: String?] {
            try addresses.environment(of: entries[index], data: "/data", databases: server, keys: keys)
        }
        #expect(try environment(3)["PORT"] == "8194")
        #expect(try environment(3)["DATABASE_URL"] == "postgres://shop@db/email")
        #expect(try environment(3)["OTEL_SERVICE_NAME"] == "email")
        #expect(try environment(1)["GATEWAY_DATABASE_URL"] == "postgres://shop@db/gateway")
        #expect(try environment(0)["DATABASE_URL"] == "sqlite:/data/broker.sqlite", "the broker has a file in any case")
        #expect(try Replicas(nil, databases: nil).applied(to: ServiceTable.all) == ServiceTable.all)
    }

    @Test func whatMovesToAServerIsToldWhereItWas() throws {
        let addresses = try Addresses(portOffset: 10)
        func environment(_ name: String, imports: Bool) throws -> [String: String?] {
            try addresses.environment(
                of: entry(name), data: "/data", databases: "postgres://db/{service}", imports: imports, keys: keys)
        }
        let payment = try environment("payment", imports: true)
        #expect(payment["DATABASE_URL"] == "postgres://db/payment")
        #expect(payment["DATABASE_IMPORT"] == "sqlite:/data/payment.sqlite")
        #expect(payment["GATEWAY_DATABASE_IMPORT"] == "sqlite:/data/gateway.sqlite")
        #expect(try environment("broker", imports: true)["DATABASE_IMPORT"] == .some(nil), "its file stays where it is")
        #expect(try environment("email", imports: false)["DATABASE_IMPORT"] == .some(nil), "the caller's is another's")
    }

    @Test func aMoveNeedsFilesAndAServer() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "shop-\(UUID().uuidString)")
        let data = DataFolder(folder.path)
        try data.create()
        defer { try? FileManager.default.removeItem(at: folder) }
        let entries = try ServiceTable.selection("broker,payment")
        try Data().write(to: folder.appending(path: "payment.sqlite"))
        #expect {
            try data.expectFiles(of: entries, for: "postgres://db/{service}")
        } throws: {
            "\($0)".contains("no gateway.sqlite in")
        }
        try Data().write(to: folder.appending(path: "gateway.sqlite"))
        try data.expectFiles(of: entries, for: "postgres://db/{service}")
        #expect { try data.expectFiles(of: entries, for: Addresses.files) } throws: {
            "\($0)".contains("add --replicas")
        }
    }

    @Test(arguments: [
        ("email", "such as email=2"), ("email=0", "1 to 9"), ("email=ten", "1 to 9"), ("mail=2", "no service 'mail'"),
        ("broker=2", "one process"), ("console=2", "one process"),
    ])
    func replicasThatCantBeAreRefused(list: String, words: String) {
        #expect { try Replicas(list, databases: "postgres://db/{service}") } throws: { "\($0)".contains(words) }
    }

    @Test func filesArentShared() throws {
        #expect { try Replicas("email=2", databases: Addresses.files) } throws: { "\($0)".contains("PostgreSQL") }
        #expect(try !Replicas("email=1", databases: Addresses.files).areSeveral)
        #expect(try Replicas("email=2", databases: nil).areSeveral)
    }

    @Test func aServiceDiesWithTheSupervisorWhereTheSystemCanSeeToIt() {
        let tied = Launch(["/bin/order"], setpriv: "/usr/bin/setpriv")
        #expect(tied.path == "/usr/bin/setpriv")
        #expect(tied.arguments == ["--pdeathsig", "KILL", "--", "/bin/order"])
        let loose = Launch(["/bin/order"], setpriv: nil)
        #expect(loose.path == "/bin/order")
        #expect(loose.arguments == [])
    }
}
