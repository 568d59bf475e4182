import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Persistence
import ServiceKit

/// The one endpoint: which protocol a request speaks, and how its answer is put on the wire.
struct Routes: Sendable {
    let sqs: SQSOperations
    let sns: SNSOperations
    let account: String
    let gatekeeper: Gatekeeper

    /// A batch of the largest messages, every character escaped, fits.
    private static let largestBody = 8 << 20
    /// What anybody may ask for who has the token or the subscription's ARN.
    private static let openActions: Set = ["ConfirmSubscription", "Unsubscribe"]

    func add(to router: Router<ShopRequestContext>) {
        router.post("/") { request, context in try await answer(request, context) }
        // Some clients send SQS requests to the queue's URL.
        router.post("/:account/:queue") { request, context in try await answer(request, context) }
        // The addresses in a notification: to confirm, to unsubscribe, and for the certificate.
        router.get("/") { request, context in try await answer(request, context) }
        let identity = sns.topics.identity
        router.get(RouterPath(identity.certificatePath)) { _, _ in
            Response(text: identity.certificatePEM, contentType: "application/x-pem-file")
        }
    }

    private func answer(_ request: Request, _ context: ShopRequestContext) async throws -> Response {
        let caller = caller(of: request)
        guard let target = request.headers[.amzTarget] else { return await answerQuery(request, context, caller) }
        do {
            let body = try await body(of: request)
            try gatekeeper.admit(request, body: body)
            guard target.hasPrefix(SQSOperations.targetPrefix) else { throw AWSError.unknownOperation(target) }
            let operation = String(target.dropFirst(SQSOperations.targetPrefix.count))
            let run: @Sendable () async throws -> [UInt8] = { try await sqs.run(operation, body, caller) }
            // Of all operations only this one waits, and must notice that its client has gone.
            let answer = operation == "ReceiveMessage" ? try await context.cancelWhenAbandoned(run) : try await run()
            return Response(
                status: .ok, headers: [.contentType: "application/x-amz-json-1.0", .amznRequestID: caller.requestID],
                body: .init(byteBuffer: ByteBuffer(bytes: answer)))
        } catch {
            let error = awsError(error, context)
            return jsonError(error, caller)
        }
    }

    private func answerQuery(_ request: Request, _ context: ShopRequestContext, _ caller: Caller) async -> Response {
        var namespace = SNSOperations.namespace
        do {
            let body = request.method == .get ? Data() : try await body(of: request)
            let form: FormParameters =
                request.method == .get
                ? try FormParameters(parsing: (request.uri.query ?? "").utf8) : try FormParameters(parsing: body)
            let action = form["Action"] ?? ""
            // The addresses in a notification are there for whoever got it.
            let isOpen = request.method == .get && Self.openActions.contains(action) && !Gatekeeper.isSigned(request)
            if !isOpen { try gatekeeper.admit(request, body: body) }
            let caller = caller.authenticated(!isOpen)
            guard !action.isEmpty else {
                throw AWSError(code: "MissingAction", "The request must contain the parameter Action.")
            }
            let result: XMLWriter
            switch form["Version"] ?? SNSOperations.version {
            case SNSOperations.version: result = try await sns.run(action, form, caller)
            case SQSQuery.version:
                namespace = SQSQuery.namespace
                let path = request.uri.path
                let run: @Sendable () async throws -> XMLWriter = {
                    try await SQSQuery.run(action, form, path: path, sqs, caller)
                }
                result =
                    try await action == "ReceiveMessage" ? context.cancelWhenAbandoned(run) : run()
            case STSOperations.version:
                namespace = STSOperations.namespace
                result = try STSOperations.run(action, caller, accessKeyID: gatekeeper.key?.id)
            case let version:
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
            return xmlResponse(xml, .ok, caller)
        } catch {
            let error = awsError(error, context)
            var xml = XMLWriter()
            xml.element("ErrorResponse", attributes: " xmlns=\"\(namespace)\"") { xml in
                xml.element("Error") { xml in
                    xml.element("Type", error.isSenderFault ? "Sender" : "Receiver")
                    xml.element("Code", error.code)
                    xml.element("Message", error.message)
                }
                xml.element("RequestId", caller.requestID)
            }
            return xmlResponse(xml, .init(code: error.status), caller)
        }
    }

    private func caller(of request: Request) -> Caller {
        let credential = request.headers[.authorization] ?? request.uri.query?.removingPercentEncoding
        let region = credential.flatMap(Caller.region(inAuthorization:))
        return Caller(
            region: region ?? "us-east-1", baseURL: "http://\(request.head.authority ?? "localhost:4566")",
            account: account, requestID: MessageID.make())
    }

    private func body(of request: Request) async throws -> Data {
        do {
            return Data((try await request.bytes(maxBytes: Self.largestBody)).readableBytesView)
        } catch let problem as Problem where problem.status == .contentTooLarge {
            throw AWSError(
                code: "RequestEntityTooLarge", "The request is larger than \(Self.largestBody) bytes.", status: 413)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // The client stopped in the middle, or what it sent is no HTTP.
            throw AWSError(code: "IncompleteBody", "The body ended before its end; send it again.")
        }
    }

    /// What Amazon would call an error. One that no client caused goes to the log.
    private func awsError(_ error: any Error, _ context: ShopRequestContext) -> AWSError {
        switch error {
        case let error as AWSError: return error
        case is CancellationError:
            return AWSError(
                code: "ServiceUnavailable", "The broker is shutting down; send the request again.", status: 503,
                isSenderFault: false)
        case let error as DatabaseError:
            context.logger.error("the database failed", metadata: ["error": "\(error)"])
            return .unavailable
        default:
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return .internalFailure
        }
    }

    private func jsonError(_ error: AWSError, _ caller: Caller) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.member("__type", "\(error.namespace)#\(error.shape)")
            json.member("message", error.message)
        }
        let fault = error.isSenderFault ? "Sender" : "Receiver"
        return Response(
            status: .init(code: error.status),
            headers: [
                .contentType: "application/x-amz-json-1.0", .amznRequestID: caller.requestID,
                .amznQueryError: "\(error.code);\(fault)",
            ], body: .init(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }

    private func xmlResponse(_ xml: XMLWriter, _ status: HTTPResponse.Status, _ caller: Caller) -> Response {
        Response(
            status: status, headers: [.contentType: "text/xml", .amznRequestID: caller.requestID],
            body: .init(byteBuffer: ByteBuffer(string: xml.text)))
    }
}

extension XMLWriter {
    /// An element around what was written elsewhere.
    mutating func element(_ name: String, _ content: XMLWriter) {
        element(name) { $0.append(content) }
    }
}

extension HTTPField.Name {
    fileprivate static let amznRequestID = Self("x-amzn-RequestId")!
    fileprivate static let amznQueryError = Self("x-amzn-query-error")!
}
