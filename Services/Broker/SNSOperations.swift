/// Amazon SNS in the Query protocol: one table from the name of an action to what it does.
struct SNSOperations: Sendable {
    let topics: Topics

    /// Takes the parameters and writes the content of the result element.
    typealias Handler = @Sendable (SNSOperations, FormParameters, Caller, inout XMLWriter) async throws -> Void

    static let version = "2010-03-31"
    static let namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

    static let table: [String: Handler] = [
        "AddPermission": { operations, form, caller, _ in try await operations.addPermission(form, caller) },
        "ConfirmSubscription": { try await $0.confirmSubscription($1, $2, &$3) },
        "CreateTopic": { try await $0.createTopic($1, $2, &$3) },
        "DeleteTopic": { operations, form, _, _ in try await operations.deleteTopic(form) },
        "GetSubscriptionAttributes": { try $0.getSubscriptionAttributes($1, $2, &$3) },
        "GetTopicAttributes": { try $0.getTopicAttributes($1, $2, &$3) },
        "ListSubscriptions": { try $0.listSubscriptions($1, $2, &$3) },
        "ListSubscriptionsByTopic": { try $0.listSubscriptionsByTopic($1, $2, &$3) },
        "ListTagsForResource": { operations, form, _, xml in try operations.listTags(form, &xml) },
        "ListTopics": { try $0.listTopics($1, $2, &$3) },
        "Publish": { try await $0.publish($1, $2, &$3) },
        "PublishBatch": { try await $0.publishBatch($1, $2, &$3) },
        "RemovePermission": { operations, form, caller, _ in try await operations.removePermission(form, caller) },
        "SetSubscriptionAttributes": { operations, form, _, _ in try await operations.setSubscriptionAttributes(form) },
        "SetTopicAttributes": { operations, form, _, _ in try await operations.setTopicAttributes(form) },
        "Subscribe": { try await $0.subscribe($1, $2, &$3) },
        "TagResource": { operations, form, _, _ in try await operations.tagResource(form) },
        "Unsubscribe": { operations, form, caller, _ in try await operations.unsubscribe(form, caller) },
        "UntagResource": { operations, form, _, _ in try await operations.untagResource(form) },
    ]

    /// The actions whose answer has no element for a result.
    static let withoutResult: Set = [
        "AddPermission", "DeleteTopic", "RemovePermission", "SetSubscriptionAttributes", "SetTopicAttributes",
        "Unsubscribe",
    ]

    /// Runs an action and writes the content of its result.
    /// - Throws: ``AWSError``.
    func run(_ action: String, _ form: FormParameters, _ caller: Caller) async throws -> XMLWriter {
        guard let handler = Self.table[action] else { throw AWSError.unknownOperation(action) }
        var xml = XMLWriter()
        try await handler(self, form, caller, &xml)
        return xml
    }

    /// How many items a page of a list has.
    private static let pageSize = 100

    /// A page of a list that is sorted by a key. The token is the key of the last item of the page before.
    static func page<Item>(
        _ items: [Item], after token: String?, by key: KeyPath<Item, String>
    ) -> (items: [Item], next: String?) {
        let rest = items.filter { item in token.map { item[keyPath: key] > $0 } ?? true }
        let page = Array(rest.prefix(pageSize))
        return (page, rest.count > page.count ? page.last?[keyPath: key] : nil)
    }
}

// MARK: Topics

extension SNSOperations {
    private func createTopic(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let name = form["Name"] ?? ""
        let attributes: TopicAttributes
        do {
            attributes = try TopicAttributes(form.map("Attributes"))
        } catch {
            throw error.amongAttributes
        }
        try await topics.create(name, attributes: attributes, tags: tags(form))
        xml.element("TopicArn", caller.topicARN(name))
    }

    private func deleteTopic(_ form: FormParameters) async throws {
        try await topics.delete(ResourceName.topic(fromARN: form.required("TopicArn")))
    }

    private func listTopics(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        let page = Self.page(topics.all, after: form["NextToken"], by: \.name)
        xml.members("Topics", page.items) { $0.element("TopicArn", caller.topicARN($1.name)) }
        if let next = page.next { xml.element("NextToken", next) }
    }

    private func getTopicAttributes(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        let topic = try topics.get(ResourceName.topic(fromARN: form.required("TopicArn")))
        var attributes = topic.attributes.described(topic: topic.name, for: caller)
        attributes["SubscriptionsConfirmed"] = String(topic.count(.confirmed))
        attributes["SubscriptionsPending"] = String(topic.count(.pending))
        attributes["SubscriptionsDeleted"] = String(topic.count(.ended))
        xml.map("Attributes", attributes)
    }

    private func setTopicAttributes(_ form: FormParameters) async throws {
        try await topics.setAttribute(
            form.required("AttributeName"), form["AttributeValue"] ?? "",
            of: ResourceName.topic(fromARN: form.required("TopicArn")))
    }
}

// MARK: Tags

extension SNSOperations {
    private func tagResource(_ form: FormParameters) async throws {
        let added = try tags(form)
        try await topics.changeTags(of: ResourceName.topic(fromARN: form.required("ResourceArn"))) { tags in
            tags.merge(added) { $1 }
        }
    }

    private func untagResource(_ form: FormParameters) async throws {
        let keys = form.items("TagKeys").compactMap { $0[""] }
        try await topics.changeTags(of: ResourceName.topic(fromARN: form.required("ResourceArn"))) { tags in
            for key in keys { tags[key] = nil }
        }
    }

    private func listTags(_ form: FormParameters, _ xml: inout XMLWriter) throws {
        guard let topic = try topics.find(ResourceName.topic(fromARN: form.required("ResourceArn"))) else {
            throw AWSError.noResource
        }
        xml.members("Tags", topic.tags.sorted { $0.key < $1.key }) { xml, tag in
            xml.element("Key", tag.key)
            xml.element("Value", tag.value)
        }
    }

    private func tags(_ form: FormParameters) throws(AWSError) -> [String: String] {
        var tags: [String: String] = [:]
        for tag in form.items("Tags") {
            let (key, value) = (tag["Key"] ?? "", tag["Value"] ?? "")
            guard 1...128 ~= key.unicodeScalars.count, !key.lowercased().hasPrefix("aws:") else {
                throw .invalidParameter("Tag keys have 1 to 128 characters and don't begin with aws:.")
            }
            guard value.unicodeScalars.count <= 256 else {
                throw .invalidParameter("Tag values have up to 256 characters.")
            }
            guard tags.updateValue(value, forKey: key) == nil else {
                throw .invalidParameter("Duplicated keys are not allowed.")
            }
        }
        guard tags.count <= 50 else { throw .tagLimit }
        return tags
    }
}
