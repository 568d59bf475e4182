import Foundation

/// What libFuzzer calls with one input after another. The first byte says which parser gets the rest; each may refuse
/// it with an error, and none may crash, hang or take memory without bound. `deploy/fuzz` builds and runs it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    guard let choice = input.first else { return 0 }
    let bytes = Array(input.dropFirst())
    let text = String(decoding: bytes, as: UTF8.self)
    switch choice {
    case UInt8(ascii: "f"): ParserFuzzer.form(bytes)
    case UInt8(ascii: "j"): ParserFuzzer.json(bytes)
    case UInt8(ascii: "p"): ParserFuzzer.filterPolicy(text)
    case UInt8(ascii: "q"): ParserFuzzer.redrivePolicies(text)
    case UInt8(ascii: "r"): ParserFuzzer.receiptHandle(text)
    case UInt8(ascii: "s"): ParserFuzzer.signature(text)
    case UInt8(ascii: "n"): ParserFuzzer.names(text)
    default: return -1
    }
    return 0
}

/// The parsers of whatever comes from outside.
enum ParserFuzzer {
    static func form(_ bytes: [UInt8]) {
        guard let form = try? FormParameters(parsing: bytes) else { return }
        _ = form.items("PublishBatchRequestEntries").map { try? $0.messageAttributes() }
        _ = form.map("Attributes")
        _ = try? form.messageAttributes()
    }

    static func json(_ bytes: [UInt8]) {
        _ = try? JSONDecoder().decode([String: MessageAttribute].self, from: Data(bytes))
        _ = try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// A policy, and after a line feed what it is held against, as the body and as an attribute.
    static func filterPolicy(_ text: String) {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let body = parts.count > 1 ? String(parts[1]) : "{}"
        let attributes = [
            "a": MessageAttribute(type: "String", value: .text(body)),
            "b": MessageAttribute(type: "Number", value: .text("1.5")),
            "c": MessageAttribute(type: "String.Array", value: .text(body)),
        ]
        for scope in [FilterPolicy.Scope.attributes, .body] {
            guard let policy = try? FilterPolicy(String(parts[0]), scope: scope) else { continue }
            _ = policy.matches(body: body, attributes: attributes)
        }
    }

    static func redrivePolicies(_ text: String) {
        _ = try? RedrivePolicy(text)
        _ = try? RedriveAllowPolicy(text)
    }

    /// What is read is what was written.
    static func receiptHandle(_ text: String) {
        guard let handle = try? ReceiptHandle(text, queue: "q") else { return }
        assert((try? ReceiptHandle(handle.text, queue: "q")) == handle)
    }

    /// An `Authorization` header, and after a line feed the date; the same as a query.
    static func signature(_ text: String) {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        if let signature = try? RequestSignature(
            authorization: String(parts[0]), date: parts.count > 1 ? String(parts[1]) : nil)
        {
            _ = try? RequestSignature.Scope(signature.credential)
        }
        _ = Caller.region(inAuthorization: text)
        if let query = try? FormParameters(parsing: text.utf8) { _ = try? RequestSignature(presigned: query) }
    }

    static func names(_ text: String) {
        for isFIFO in [true, false] {
            _ = try? ResourceName.checkQueue(text, isFIFO: isFIFO)
            _ = try? ResourceName.checkTopic(text, isFIFO: isFIFO)
        }
        _ = try? ResourceName.queue(fromURL: text)
        _ = ResourceName.queue(fromARN: text)
        _ = try? ResourceName.topic(fromARN: text)
        _ = try? ResourceName.subscription(fromARN: text)
    }
}
