/// `AddPermission` and `RemovePermission`.
extension SQSOperations {
    struct AddPermissionInput: Decodable {
        let queueURL: String
        let label: String
        let accounts: [String]
        let actions: [String]

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case label = "Label"
            case accounts = "AWSAccountIds"
            case actions = "Actions"
        }
    }

    struct RemovePermissionInput: Decodable {
        let queueURL: String
        let label: String

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case label = "Label"
        }
    }

    /// What an owner may let others do.
    private static let sharedActions: Set = [
        "*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
        "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
    ]
    private static let mostActions = 7

    func addPermission(_ input: AddPermissionInput, _ caller: Caller) async throws -> JSONWriter {
        let name = try queue(input.queueURL).name
        try Self.check(input)
        let arn = caller.queueARN(name)
        try await changePolicy(of: name, arn) { policy in
            guard !policy.contains(input.label) else { throw AWSError.invalidLabel(input.label, "Already exists.") }
            policy.allow(
                input.label, accounts: input.accounts, actions: input.actions.map { "SQS:\($0)" }, on: arn)
        }
        return .emptyObject
    }

    func removePermission(_ input: RemovePermissionInput, _ caller: Caller) async throws -> JSONWriter {
        let name = try queue(input.queueURL).name
        try await changePolicy(of: name, caller.queueARN(name)) { policy in
            guard policy.contains(input.label) else {
                throw AWSError.invalidLabel(input.label, "can't find label on existing policy.")
            }
            policy.remove(input.label)
        }
        return .emptyObject
    }

    private func changePolicy(
        of name: String, _ arn: String, _ change: @escaping @Sendable (inout AccessPolicy) throws -> Void
    ) async throws {
        try await queues.setAttributes(name) { attributes in
            var policy = AccessPolicy(attributes["Policy"], id: "\(arn)/SQSDefaultPolicy")
            try change(&policy)
            return try QueueAttributes(checking: ["Policy": policy.json])
        }
    }

    private static func check(_ input: AddPermissionInput) throws(AWSError) {
        guard ResourceName.isWellFormed(input.label, longest: 80) else {
            throw .invalidLabel(
                input.label, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
        }
        guard !input.actions.isEmpty else { throw .missingParameter("Actions") }
        guard !input.accounts.isEmpty, !input.accounts.contains("") else {
            throw .invalidParameterValue("Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.")
        }
        guard input.actions.count <= mostActions else { throw .tooManyActions(input.actions.count, limit: mostActions) }
        if let other = input.actions.first(where: { !sharedActions.contains($0) }) {
            throw .invalidParameterValue(
                "Value SQS:\(other.prefix(80)) for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."
            )
        }
    }
}

extension AWSError {
    fileprivate static func invalidLabel(_ label: String, _ reason: String) -> AWSError {
        invalidParameterValue("Value \(label.prefix(80)) for parameter Label is invalid. Reason: \(reason)")
    }
    fileprivate static func tooManyActions(_ count: Int, limit: Int) -> AWSError {
        AWSError(code: "OverLimit", "\(count) Actions were found, maximum allowed is \(limit).", status: 403)
    }
}
