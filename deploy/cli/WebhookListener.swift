import Foundation
import HTTPTypes
import Hummingbird
import ServiceLifecycle
import Synchronization
import Webhooks

/// A webhook endpoint to copy. What makes it a sound one:
/// - it verifies the signature over the bytes as they came, before anything reads them;
/// - it knows repeats by their `webhook-id`, because each webhook comes at least once;
/// - it answers 2xx as soon as the webhook is safe, and works on it afterwards; here, safe is printed.
struct WebhookListener: Sendable {
    /// How it mistreats who calls it.
    struct Behaviour: Sendable {
        var failures = 0
        var status = 204
        var hangs = false
        var delay = Duration.zero
    }

    /// What came and what it was answered.
    struct Receipt: Encodable, Sendable {
        let at: String
        let webhookId: String
        let type: String
        /// Why it isn't believed.
        let rejected: String?
        let isRepeat: Bool
        let answer: String
        let body: String

        var line: String {
            let verdict = rejected.map { "NOT VERIFIED (\($0))" } ?? (isRepeat ? "verified, a repeat" : "verified")
            return "\(at.dropFirst(11).prefix(12)) \(type) \(webhookId) \(verdict), answer \(answer)  \(body)"
        }
    }

    let secret: WebhookSecret
    let behaviour: Behaviour
    let show: @Sendable (Receipt) throws -> Void
    private let memory = Memory()

    /// What has been received: a service would have it in its database, in the transaction that does the work.
    private final class Memory: Sendable {
        let seen = Mutex<Set<String>>([])
        let count = Mutex(0)
    }

    init(secret: WebhookSecret, behaviour: Behaviour, show: @escaping @Sendable (Receipt) throws -> Void) {
        self.secret = secret
        self.behaviour = behaviour
        self.show = show
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("**") { request, _ in try await receive(request) }
        router.post("/") { request, _ in try await receive(request) }
        return router
    }

    private func receive(_ request: Request) async throws -> Response {
        let body = Data(buffer: try await request.body.collect(upTo: 1 << 20))
        let header = { (name: String) in HTTPField.Name(name).flatMap { request.headers[$0] } }
        do {
            let id = try WebhookSignature.verify(header: header, body: body, secret: secret, now: Date())
            let answer = nextAnswer()
            let isNew = answer == behaviour.status ? memory.seen.withLock { $0.insert(id).inserted } : true
            try report(id, body, rejected: nil, isRepeat: !isNew, behaviour.hangs ? "none" : "\(answer)")
            if behaviour.hangs { try? await gracefulShutdown() }
            await cancelWhenGracefulShutdown { try? await Task.sleep(for: behaviour.delay) }
            return Response(status: .init(code: answer))
        } catch let failure as WebhookSignature.Failure {
            try report(header("webhook-id") ?? "-", body, rejected: failure.inWords, isRepeat: false, "401")
            return Response(status: .unauthorized)
        }
    }

    private func nextAnswer() -> Int {
        let number = memory.count.withLock { count in
            count += 1
            return count
        }
        return number <= behaviour.failures ? 500 : behaviour.status
    }

    private func report(
        _ id: String, _ body: Data, rejected: String?, isRepeat: Bool, _ answer: String
    ) throws {
        struct Typed: Decodable { let type: String }
        let now = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        try show(
            Receipt(
                at: now, webhookId: id, type: (try? JSONDecoder().decode(Typed.self, from: body))?.type ?? "-",
                rejected: rejected, isRepeat: isRepeat, answer: answer, body: String(decoding: body, as: UTF8.self)))
    }
}

extension WebhookSignature.Failure {
    fileprivate var inWords: String {
        switch self {
        case .malformed(let header): "\(header) is missing or malformed"
        case .outsideTolerance: "its timestamp is more than 5 minutes off"
        case .mismatch: "its signature doesn't match"
        }
    }
}
