import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Messaging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite("Channels that others have made", .timeLimit(.minutes(1))) struct ChannelSetupTests {
    struct Gone: Error {}

    @Test("A broker counts as reached when it knows the service's own queue, and is asked again after a failure")
    func ownQueue() async throws {
        let queues = Mutex<Set<String>>([])
        let router = Router()
        router.post("/") { request, _ in
            #expect(request.headers[HTTPField.Name("x-amz-target")!] == "AmazonSQS.GetQueueUrl")
            let body = try await request.body.collect(upTo: 1024)
            let name = try #require(try JSONDecoder().decode([String: String].self, from: body)["QueueName"])
            guard queues.withLock({ $0.contains(name) }) else {
                return Response(
                    status: .badRequest, headers: [HTTPField.Name("x-amzn-query-error")!: "QueueDoesNotExist;Sender"],
                    body: .init(byteBuffer: ByteBuffer(string: #"{"__type":"QueueDoesNotExist","message":"no"}"#)))
            }
            return Response(
                status: .ok, body: .init(byteBuffer: ByteBuffer(string: #"{"QueueUrl":"http://broker/1/\#(name)"}"#)))
        }
        let port = Probe<Int>()
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.record($0.localAddress?.port ?? 0) }, logger: .silent)
        let client = HTTPClientService(waitsForConnection: false)
        try await withRunning(application) { _ in
            try await withRunning(client) { _ in
                let url = "http://127.0.0.1:\(await port.first { _ in true } ?? 0)"
                let keys = AWSCredentials(accessKeyID: "local", secretAccessKey: "local")
                let access = AWSAccess(endpoint: url, region: "us-east-1", credentials: .fixed(keys))
                var topology = Topology.shop
                topology.ownQueue = .email
                let reports = Probe<Bool>()
                let link = BrokerLink(
                    transport: AWSTransport(http: client.client, access: access, channels: .find), topology: topology
                ) { isReachable, _ in reports.record(isReachable) }
                await #expect(throws: AWSError.self) { try await link.use { _ in } }
                _ = queues.withLock { $0.insert("email") }
                try await link.use { _ in }
                _ = queues.withLock { $0.remove("email") }
                await #expect(throws: Gone.self) { try await link.use { _ in throw Gone() } }
                await #expect(throws: AWSError.self) { try await link.use { _ in } }
                #expect(reports.values == [false, true, false, false])
            }
        }
    }
}
