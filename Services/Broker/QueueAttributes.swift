/// The attributes that a client set on a queue, checked, and what they mean. Those not set have Amazon's defaults.
struct QueueAttributes: Sendable, Equatable {
    /// As they were set, by their names in the protocol.
    private(set) var values: [String: String] = [:]

    private struct Whole {
        let range: ClosedRange<Int>
        let standard: Int
    }

    private static let wholes: [String: Whole] = [
        "DelaySeconds": Whole(range: 0...900, standard: 0),
        "MaximumMessageSize": Whole(range: 1024...1_048_576, standard: 1_048_576),
        "MessageRetentionPeriod": Whole(range: 60...1_209_600, standard: 345_600),
        "ReceiveMessageWaitTimeSeconds": Whole(range: 0...20, standard: 0),
        "VisibilityTimeout": Whole(range: 0...43_200, standard: 30),
        "KmsDataKeyReusePeriodSeconds": Whole(range: 60...86_400, standard: 300),
    ]
    private static let texts: Set<String> = ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"]
    /// Attributes that have one of a few values, the first of which is the default.
    private static let choices: [String: [String]] = ["SqsManagedSseEnabled": ["true", "false"]]
    private static let fifoChoices: [String: [String]] = [
        "FifoQueue": ["true"], "ContentBasedDeduplication": ["false", "true"],
        "DeduplicationScope": ["queue", "messageGroup"], "FifoThroughputLimit": ["perQueue", "perMessageGroupId"],
    ]
    /// What the broker counts or knows itself.
    static let computed: Set<String> = [
        "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
    ]

    init() {}

    init(stored values: [String: String]) { self.values = values }

    /// Checks what a client wants to set.
    /// - Parameter isFIFO: whether it is for a FIFO queue; if not given, `FifoQueue` says so.
    init(checking values: [String: String], isFIFO: Bool? = nil) throws(AWSError) {
        let isFIFO = isFIFO ?? (values["FifoQueue"]?.lowercased() == "true")
        for (name, value) in values {
            if let whole = Self.wholes[name] {
                guard let number = Int(value), whole.range.contains(number) else { throw .invalidAttributeValue(name) }
                self.values[name] = String(number)
            } else if Self.texts.contains(name) {
                if name == "RedrivePolicy", !value.isEmpty { _ = try RedrivePolicy(value) }
                if name == "RedriveAllowPolicy", !value.isEmpty { _ = try RedriveAllowPolicy(value) }
                if name == "Policy", !value.isEmpty {
                    guard value.utf8.count <= AccessPolicy.largest, (try? JSONValue(parsing: value))?.object != nil
                    else { throw .invalidAttributeValue(name) }
                }
                self.values[name] = value
            } else if let choices = Self.choices[name] ?? (isFIFO ? Self.fifoChoices[name] : nil) {
                guard let choice = choices.first(where: { $0.lowercased() == value.lowercased() }) else {
                    throw .invalidAttributeValue(name)
                }
                self.values[name] = choice
            } else {
                throw .invalidAttributeName(name)
            }
        }
    }

    /// Checks what attributes must be together.
    func checkTogether() throws(AWSError) {
        if self["FifoThroughputLimit"] == "perMessageGroupId", self["DeduplicationScope"] != "messageGroup" {
            throw .invalidAttributeValue(
                "FifoThroughputLimit. Reason: perMessageGroupId is allowed only when DeduplicationScope is messageGroup"
            )
        }
    }

    /// Takes over what another set names. An empty text removes.
    func merging(_ other: QueueAttributes) -> QueueAttributes {
        var merged = self
        for (name, value) in other.values {
            merged.values[name] = value.isEmpty ? nil : value
        }
        return merged
    }

    /// The first attribute for which another set asks for something else, by name.
    func firstDifference(from wanted: QueueAttributes) -> String? {
        wanted.values.keys.sorted().first { name in
            if name == "RedrivePolicy" {
                let policy = wanted.values[name].flatMap { try? RedrivePolicy($0) }
                return policy != redrivePolicy
            }
            return self[name] != wanted.values[name]
        }
    }

    /// An attribute as a client sees it; `nil` if it has no value.
    subscript(name: String) -> String? {
        if let value = values[name] { return value }
        if name == "SqsManagedSseEnabled" { return values["KmsMasterKeyId"] == nil ? "true" : "false" }
        // The key's period means something only when there is a key.
        if name == "KmsDataKeyReusePeriodSeconds", values["KmsMasterKeyId"] == nil { return nil }
        if isFIFO, let choices = Self.fifoChoices[name] { return choices[0] }
        return Self.wholes[name].map { String($0.standard) }
    }

    /// Whether there is an attribute of this name at all.
    static func isKnown(_ name: String) -> Bool {
        wholes[name] != nil || texts.contains(name) || choices[name] != nil || fifoChoices[name] != nil
            || computed.contains(name)
    }

    static var settable: [String] {
        Array(wholes.keys) + Array(texts) + Array(choices.keys) + Array(fifoChoices.keys)
    }

    /// Whether it is a FIFO queue.
    var isFIFO: Bool { values["FifoQueue"] == "true" }
    var delay: Milliseconds { seconds("DelaySeconds") }
    var visibilityTimeout: Milliseconds { seconds("VisibilityTimeout") }
    var wait: Milliseconds { seconds("ReceiveMessageWaitTimeSeconds") }
    var retention: Milliseconds { seconds("MessageRetentionPeriod") }
    var maximumMessageSize: Int { Int(seconds("MaximumMessageSize") / 1000) }
    var deduplicatesByContent: Bool { values["ContentBasedDeduplication"] == "true" }
    /// Whether deduplication ids count for each group by itself.
    var deduplicatesByGroup: Bool { values["DeduplicationScope"] == "messageGroup" }
    var redriveAllowPolicy: RedriveAllowPolicy {
        values["RedriveAllowPolicy"].flatMap { try? RedriveAllowPolicy($0) } ?? .allowAll
    }
    var redrivePolicy: RedrivePolicy? { values["RedrivePolicy"].flatMap { try? RedrivePolicy($0) } }

    private func seconds(_ name: String) -> Milliseconds { (self[name].flatMap { Milliseconds($0) } ?? 0) * 1000 }
}
