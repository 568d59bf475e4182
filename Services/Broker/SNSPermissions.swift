/// `AddPermission` and `RemovePermission`.
extension SNSOperations {
    /// What a policy of a topic can speak of.
    private static let actions: Set = [
        "AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic", "Publish", "Receive",
        "RemovePermission", "SetTopicAttributes", "Subscribe",
    ]

    func addPermission(_ form: FormParameters, _ caller: Caller) async throws {
        let label = try form.required("Label")
        let accounts = form.items("AWSAccountId").compactMap { $0[""] }
        let actions = form.items("ActionName").compactMap { $0[""] }
        guard !accounts.isEmpty, !accounts.contains("") else { throw AWSError.invalidParameter("AWSAccountId") }
        guard !actions.isEmpty else { throw AWSError.invalidParameter("ActionName") }
        guard actions.allSatisfy(Self.actions.contains) else {
            throw AWSError.invalidParameter("Policy statement action out of service scope!")
        }
        try await changePolicy(form, caller) { policy, arn in
            guard !policy.contains(label) else { throw AWSError.invalidParameter("Statement already exists") }
            policy.allow(label, accounts: accounts, actions: actions.map { "SNS:\($0)" }, on: arn)
        }
    }

    /// What wasn't allowed needs no taking back.
    func removePermission(_ form: FormParameters, _ caller: Caller) async throws {
        let label = try form.required("Label")
        try await changePolicy(form, caller) { policy, _ in policy.remove(label) }
    }

    private func changePolicy(
        _ form: FormParameters, _ caller: Caller,
        _ change: @escaping @Sendable (inout AccessPolicy, _ arn: String) throws -> Void
    ) async throws {
        let name = try ResourceName.topic(fromARN: form.required("TopicArn"))
        let arn = caller.topicARN(name)
        try await topics.setAttribute("Policy", of: name) { attributes in
            // Of the one that a topic has from the start nothing is lost.
            let present =
                attributes.values["Policy"] ?? TopicAttributes.standardPolicy(arn: arn, owner: caller.account)
            var policy = AccessPolicy(present, id: arn)
            try change(&policy, arn)
            return policy.json
        }
    }
}
