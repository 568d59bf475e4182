/// `TagQueue`, `UntagQueue` and `ListQueueTags`.
extension SQSOperations {
    struct TagInput: Decodable {
        let queueURL: String
        let tags: [String: String]

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case tags = "Tags"
        }
    }

    struct UntagInput: Decodable {
        let queueURL: String
        let keys: [String]

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case keys = "TagKeys"
        }
    }

    private static let mostTags = 50

    func tagQueue(_ input: TagInput) async throws -> JSONWriter {
        let name = try queue(input.queueURL).name
        guard !input.tags.isEmpty else { throw AWSError.missingParameter("Tags") }
        try checkTags(input.tags, of: name)
        try await queues.setTags(name) { tags in
            tags.merge(input.tags) { _, new in new }
            guard tags.count <= Self.mostTags else { throw Self.tooManyTags(name) }
        }
        return .emptyObject
    }

    func untagQueue(_ input: UntagInput) async throws -> JSONWriter {
        let name = try queue(input.queueURL).name
        guard !input.keys.isEmpty else { throw AWSError.wrongTagKey }
        try await queues.setTags(name) { tags in
            for key in input.keys { tags[key] = nil }
        }
        return .emptyObject
    }

    func listQueueTags(_ input: QueueInput) throws -> JSONWriter {
        let tags = try queue(input.queueURL).record.tags
        var json = JSONWriter()
        json.object { json in
            guard !tags.isEmpty else { return }
            json.key("Tags")
            json.object(tags.sorted { $0.key < $1.key }) { json, key, value in json.member(key, value) }
        }
        return json
    }

    func checkTags(_ tags: [String: String], of queue: String) throws(AWSError) {
        guard tags.count <= Self.mostTags else { throw Self.tooManyTags(queue) }
        for (key, value) in tags {
            guard 1...128 ~= key.unicodeScalars.count else {
                throw .wrongTagKey
            }
            guard value.unicodeScalars.count <= 256 else {
                throw .invalidParameterValue("Tag values must be between 0 and 256 characters in length.")
            }
            guard !key.lowercased().hasPrefix("aws:") else {
                throw .invalidParameterValue("Tag keys must not begin with aws:, which is for use by AWS.")
            }
        }
    }

    private static func tooManyTags(_ queue: String) -> AWSError {
        .invalidParameterValue("Too many tags added for queue \(queue).")
    }
}

extension AWSError {
    fileprivate static let wrongTagKey = invalidParameterValue(
        "Tag keys must be between 1 and 128 characters in length.")
}
