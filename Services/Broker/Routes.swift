import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import Persistence
import ServiceKit
import Telemetry

/// The one endpoint: which protocol a request speaks, and how its answer is put on the wire.
struct Routes: Sendable {
    let sqs: SQSOperations
    let sns: SNSOperations
    let account: String
    let gatekeeper: Gatekeeper
    let logger: Logger

    /// A batch of the largest messages, every character escaped, fits.
    private static let largestBody = 8 << 20
    /// All bodies together, so that those who send large ones, or never end them, don't take all the memory.
    private static let room = 256 << 20
    /// In bytes; a longer one is none of X-Ray's.
    private static let longestTraceHeader = 1024
    /// What anybody may ask for who has the token or the subscription's ARN.
    private static let openActions: Set = ["ConfirmSubscription", "Unsubscribe"]

    func add(to router: Router<ShopRequestContext>) {
        let identity = sns.topics.identity
        router.get(RouterPath(identity.certificatePath)) { _, _ in
            Response(text: identity.certificatePEM, contentType: "application/x-pem-file")
        }
    }

    /// A span and a line in the log for each request would be most of the broker's work.
    var direct: DirectService {
        DirectService(
            largestBody: Self.largestBody, room: Self.room, wants: Self.isCall, givesWay: Self.bringsMessages
        ) { request in
            await answer(request)
        }
    }

    /// Whether a request calls the API: at `/`, or at the URL of a queue, where some clients send those of SQS. The
    /// addresses in a notification, to confirm and to unsubscribe, are of the first kind too.
    private static func isCall(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .POST || head.method == .GET else { return false }
        if head.uri == "/" { return true }
        let path = head.uri.prefix { $0 != "?" }
        guard path != "/" else { return true }
        // There are pages with addresses like a queue's, such as /health/ready.
        return path.split(separator: "/").count == 2 && (head.method == .POST || head.uri.contains("Action="))
    }

    /// Whether a request sends or publishes. What goes out goes before what comes in, so that queues grow only when their
    /// receivers don't keep up, and not because the broker has no time for them.
    static func bringsMessages(_ request: DirectRequest) -> Bool {
        if let target = request.head.headers.first(name: "x-amz-target") {
            return target.hasPrefix("\(SQSOperations.targetPrefix)SendMessage")
        }
        // The action may stand anywhere in a form; clients put it first.
        let beginnings = ["Action=Publish", "Action=SendMessage"]
        guard case .whole(let body) = request.body else { return false }
        if body.readableBytes == 0 { return beginnings.contains { request.query?.hasPrefix($0) == true } }
        return beginnings.contains { body.readableBytesView.starts(with: $0.utf8) }
    }

    private func answer(_ request: DirectRequest) async -> DirectResponse {
        let caller = caller(of: request)
        guard let target = request.head.headers.first(name: "x-amz-target") else {
            return await answerQuery(request, caller)
        }
        do {
            let body = try body(of: request)
            try gatekeeper.admit(request, body: body)
            guard target.hasPrefix(SQSOperations.targetPrefix) else { throw AWSError.unknownOperation(target) }
            let operation = String(target.dropFirst(SQSOperations.targetPrefix.count))
            let answer = try await sqs.run(operation, body, caller)
            return DirectResponse(
                headers: headers("application/x-amz-json-1.0", caller), body: ByteBuffer(bytes: answer))
        } catch {
            return jsonError(awsError(error), caller)
        }
    }

    private func answerQuery(_ request: DirectRequest, _ caller: Caller) async -> DirectResponse {
        var namespace = SNSOperations.namespace
        let isGet = request.head.method == .GET
        do {
            let body = try body(of: request)
            let query = (request.query ?? "").utf8
            let form = body.isEmpty ? try FormParameters(parsing: query) : try FormParameters(parsing: body)
            let action = form["Action"] ?? ""
            // The addresses in a notification are there for whoever got it.
            // At a queue's URL it can only be for SQS.
            let version = form["Version"] ?? (request.path == "/" ? SNSOperations.version : SQSQuery.version)
            let isOpen =
                isGet && version == SNSOperations.version && Self.openActions.contains(action)
                && !Gatekeeper.isSigned(request)
            if !isOpen { try gatekeeper.admit(request, body: body) }
            let caller = caller.authenticated(!isOpen)
            guard !action.isEmpty else {
                throw AWSError(code: "MissingAction", "The request must contain the parameter Action.")
            }
            let result: XMLWriter
            switch version {
            case SNSOperations.version: result = try await sns.run(action, form, caller)
            case SQSQuery.version:
                namespace = SQSQuery.namespace
                result = try await SQSQuery.run(action, form, path: String(request.path), sqs, caller)
            case STSOperations.version:
                namespace = STSOperations.namespace
                result = try STSOperations.run(action, caller, accessKeyID: gatekeeper.key?.id)
            default:
                throw AWSError(
                    code: "NoSuchVersion",
                    "The version '\(version.prefix(40))' is not known: SNS is 2010-03-31, SQS 2012-11-05, STS 2011-06-15."
                )
            }
            var xml = XMLWriter()
            xml.element("\(action)Response", attributes: " xmlns=\"\(namespace)\"") { xml in
                if !SNSOperations.withoutResult.contains(action) { xml.element("\(action)Result", result) }
                xml.element("ResponseMetadata") { $0.element("RequestId", caller.requestID) }
            }
            return xmlResponse(xml, 200, caller)
        } catch {
            let error = awsError(error)
            var xml = XMLWriter()
            xml.element("ErrorResponse", attributes: " xmlns=\"\(namespace)\"") { xml in
                xml.element("Error") { xml in
                    xml.element("Type", error.isSenderFault ? "Sender" : "Receiver")
                    xml.element("Code", error.code)
                    xml.element("Message", error.message)
                }
                xml.element("RequestId", caller.requestID)
            }
            return xmlResponse(xml, error.status, caller)
        }
    }

    private func caller(of request: DirectRequest) -> Caller {
        let headers = request.head.headers
        let credential = headers.first(name: "authorization") ?? request.query?.removingPercentEncoding
        let region = credential.flatMap(Caller.region(inAuthorization:))
        let requestID = MessageID.make()
        let correlationID = headers.first(name: "x-correlation-id").flatMap { CorrelationID.isValid($0) ? $0 : nil }
        return Caller(
            region: region ?? "us-east-1", baseURL: "http://\(headers.first(name: "host") ?? "localhost:4566")",
            account: account, requestID: requestID, correlationID: correlationID ?? requestID,
            traceHeader: headers.first(name: "x-amzn-trace-id").flatMap {
                1...Self.longestTraceHeader ~= $0.utf8.count ? $0 : nil
            })
    }

    private func body(of request: DirectRequest) throws(AWSError) -> Data {
        switch request.body {
        case .whole(let body): return Data(body.readableBytesView)
        case .tooLarge:
            throw AWSError(
                code: "RequestEntityTooLarge", "The request is larger than \(Self.largestBody) bytes.", status: 413)
        case .noRoom:
            throw AWSError(
                code: "ServiceUnavailable",
                "There are too many large requests and answers at once; send the request again.", status: 503,
                isSenderFault: false)
        }
    }

    /// What Amazon would call an error. One that no client caused goes to the log.
    private func awsError(_ error: any Error) -> AWSError {
        switch error {
        case let error as AWSError: return error
        case is CancellationError:
            return AWSError(
                code: "ServiceUnavailable", "The broker is shutting down; send the request again.", status: 503,
                isSenderFault: false)
        case let error as DatabaseError:
            logger.error("the database failed", metadata: ["error": "\(error)"])
            return .unavailable
        default:
            logger.error("a request failed", metadata: ["error": "\(error)"])
            return .internalFailure
        }
    }

    private func jsonError(_ error: AWSError, _ caller: Caller) -> DirectResponse {
        var json = JSONWriter()
        json.object { json in
            json.member("__type", "\(error.namespace)#\(error.shape)")
            json.member("message", error.message)
        }
        let fault = error.isSenderFault ? "Sender" : "Receiver"
        var headers = headers("application/x-amz-json-1.0", caller)
        headers.add(name: "x-amzn-query-error", value: "\(error.code);\(fault)")
        return DirectResponse(
            status: .init(statusCode: error.status), headers: headers, body: ByteBuffer(bytes: json.bytes))
    }

    private func xmlResponse(_ xml: XMLWriter, _ status: Int, _ caller: Caller) -> DirectResponse {
        DirectResponse(
            status: .init(statusCode: status), headers: headers("text/xml", caller),
            body: ByteBuffer(string: xml.text))
    }

    private func headers(_ contentType: String, _ caller: Caller) -> HTTPHeaders {
        ["content-type": contentType, "x-amzn-requestid": caller.requestID, "x-correlation-id": caller.correlationID]
    }
}

extension XMLWriter {
    /// An element around what was written elsewhere.
    mutating func element(_ name: String, _ content: XMLWriter) {
        element(name) { $0.append(content) }
    }
}
