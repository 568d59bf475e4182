import Foundation
import Testing

@testable import Shop

@Suite final class DataFolderTests {
    private let folder = DataFolder(
        FileManager.default.temporaryDirectory.appendingPathComponent("shop-tests-\(UUID().uuidString)").path)

    init() throws {
        try folder.create()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    @Test func aFolderIsNamedFromWhereTheUserIs() {
        #expect(DataFolder(".shop", from: "/home/ada").path == "/home/ada/.shop")
        #expect(DataFolder(".shop", from: "/home/ada").name == ".shop")
        #expect(DataFolder("/data", from: "/home/ada").name == "/data")
        #expect(DataFolder("../x/", from: "/home/ada").path == "/home/x")
    }

    @Test func theStackFileComesBackAsItWas() throws {
        #expect(try StackFile.read(from: folder.stackPath) == nil)
        let file = StackFile(
            supervisorProcessID: 7, portOffset: 100, startedAt: Date(timeIntervalSince1970: 1_800_000_000),
            services: [.init(name: "broker", port: 4666, processID: 8), .init(name: "order", port: 8181)])
        try file.write(to: folder.stackPath)
        #expect(try StackFile.read(from: folder.stackPath) == file)
    }

    @Test func aBrokenStackFileIsNamed() throws {
        try Data("{".utf8).write(to: URL(fileURLWithPath: folder.stackPath))
        #expect(throws: ShopError.self) { try StackFile.read(from: folder.stackPath) }
    }

    @Test func theRecordFollowsTheProcesses() async throws {
        let file = StackFile(
            supervisorProcessID: 7, portOffset: 0, startedAt: Date(timeIntervalSince1970: 1_800_000_000),
            services: [.init(name: "order", port: 8081)])
        let record = try StackRecord(file, path: folder.stackPath)
        try await record.set("order", processID: 42)
        #expect(try StackFile.read(from: folder.stackPath)?.services.first?.processID == 42)
        try await record.set("order", processID: nil)
        #expect(try StackFile.read(from: folder.stackPath) == file)
        try await record.remove()
        #expect(try StackFile.read(from: folder.stackPath) == nil)
    }

    @Test func theLockIsForOne() throws {
        #expect(!folder.isInUse())
        let lock = try folder.lock()
        #expect(folder.isInUse())
        #expect(throws: ShopError.self) { try folder.lock() }
        try lock.release()
        #expect(!folder.isInUse())
    }

    @Test func aShellGetsWhatAWSNeedsAndNothingElse() throws {
        let keys = Keys(values: [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "a/b+c=", "PAYMENT_WEBHOOK_SECRET": "whsec_x",
        ])
        #expect(
            keys.exports(endpoint: "http://127.0.0.1:5566") == [
                "export AWS_ACCESS_KEY_ID='id'", "export AWS_DEFAULT_REGION='us-east-1'",
                "export AWS_ENDPOINT_URL='http://127.0.0.1:5566'", "export AWS_REGION='us-east-1'",
                "export AWS_SECRET_ACCESS_KEY='a/b+c='", "unset AWS_SESSION_TOKEN",
            ])
    }

    @Test func keysAreMadeOnceAndForTheOwnerAlone() throws {
        let made = try Keys.loadOrMake(path: folder.keysPath)
        #expect(try Keys.loadOrMake(path: folder.keysPath) == made)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.keysPath)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let secret = try #require(made.values["PAYMENT_WEBHOOK_SECRET"])
        #expect(secret.hasPrefix("whsec_"))
        #expect(Data(base64Encoded: String(secret.dropFirst(6)))?.count == 32)
        #expect(Keys.make() != made)
    }

    @Test func aFileThatLacksAKeyIsNamed() throws {
        try Data("AWS_ACCESS_KEY_ID=x\n".utf8).write(to: URL(fileURLWithPath: folder.keysPath))
        #expect(throws: ShopError.self) { try Keys.loadOrMake(path: folder.keysPath) }
    }

    @Test func aTakenPortIsNamedWithItsService() throws {
        let addresses = try Addresses(portOffset: 0)
        let order = try #require(ServiceTable.all.first { $0.name == "order" })
        let unknown = PortCheck(addresses: addresses, leftover: nil).message(for: order)
        #expect(unknown.contains("8081") && unknown.contains("order") && !unknown.contains("\n"))
    }
}
