import Foundation

/// Amazon SNS in the Query protocol: one table from the name of an action to what it does.
struct SNSOperations: Sendable {
    let topics: Topics

    /// Takes the parameters and writes the content of the result element.
    typealias Handler = @Sendable (SNSOperations, FormParameters, Caller, inout XMLWriter) async throws -> Void

    static let version = "2010-03-31"
    static let namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

    static let table: [String: Handler] = [
        "CreateTopic": { try await $0.createTopic($1, $2, &$3) },
        "DeleteTopic": { operations, form, _, _ in try await operations.deleteTopic(form) },
        "GetSubscriptionAttributes": { try $0.getSubscriptionAttributes($1, $2, &$3) },
        "GetTopicAttributes": { try $0.getTopicAttributes($1, $2, &$3) },
        "ListSubscriptions": { try $0.listSubscriptions($1, $2, &$3) },
        "ListSubscriptionsByTopic": { try $0.listSubscriptionsByTopic($1, $2, &$3) },
        "ListTopics": { $0.listTopics($1, $2, &$3) },
        "Publish": { try await $0.publish($1, $2, &$3) },
        "PublishBatch": { try await $0.publishBatch($1, $2, &$3) },
        "SetSubscriptionAttributes": { operations, form, _, _ in try await operations.setSubscriptionAttributes(form) },
        "SetTopicAttributes": { operations, form, _, _ in try await operations.setTopicAttributes(form) },
        "Subscribe": { try await $0.subscribe($1, $2, &$3) },
        "Unsubscribe": { operations, form, _, _ in try await operations.unsubscribe(form) },
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
}

// MARK: Topics

extension SNSOperations {
    private func createTopic(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let name = try form.required("Name")
        var tags: [String: String] = [:]
        for tag in form.items("Tags") { tags[tag["Key"] ?? ""] = tag["Value"] ?? "" }
        try await topics.create(name, attributes: form.map("Attributes"), tags: tags)
        xml.element("TopicArn", caller.topicARN(name))
    }

    private func deleteTopic(_ form: FormParameters) async throws {
        try await topics.delete(ResourceName.topic(fromARN: form.required("TopicArn")))
    }

    private func listTopics(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) {
        let page = Self.page(topics.all, after: form["NextToken"], by: \.name)
        xml.members("Topics", page.items) { $0.element("TopicArn", caller.topicARN($1.name)) }
        if let next = page.next { xml.element("NextToken", next) }
    }

    private func getTopicAttributes(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        let topic = try topics.get(ResourceName.topic(fromARN: form.required("TopicArn")))
        var attributes = topic.attributes
        attributes["TopicArn"] = caller.topicARN(topic.name)
        attributes["Owner"] = caller.account
        attributes["DisplayName"] = attributes["DisplayName"] ?? ""
        attributes["SubscriptionsConfirmed"] = String(topic.subscriptions.count)
        attributes["SubscriptionsPending"] = "0"
        attributes["SubscriptionsDeleted"] = "0"
        attributes["EffectiveDeliveryPolicy"] = attributes["DeliveryPolicy"] ?? Self.standardDeliveryPolicy
        xml.map("Attributes", attributes)
    }

    private static let standardDeliveryPolicy =
        #"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false}}"#

    private func setTopicAttributes(_ form: FormParameters) async throws {
        try await topics.setAttribute(
            form.required("AttributeName"), form["AttributeValue"] ?? "",
            of: ResourceName.topic(fromARN: form.required("TopicArn")))
    }
}

// MARK: Subscriptions

extension SNSOperations {
    private func subscribe(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let topic = try ResourceName.topic(fromARN: form.required("TopicArn"))
        let protocolName = try form.required("Protocol")
        guard protocolName == Subscription.protocolName else {
            throw AWSError.invalidParameter(
                "Protocol Reason: '\(protocolName.prefix(40))' is not available in this version; subscribe an sqs queue."
            )
        }
        _ = try topics.get(topic)
        let wanted = try Subscription(
            id: MessageID.make(), topic: topic, endpoint: form.required("Endpoint"), attributes: form.map("Attributes"))
        let id = try await topics.subscribe(wanted)
        xml.element("SubscriptionArn", caller.subscriptionARN(topic: topic, id: id))
    }

    private func unsubscribe(_ form: FormParameters) async throws {
        try await topics.unsubscribe(ResourceName.subscription(fromARN: form.required("SubscriptionArn")))
    }

    private func listSubscriptions(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        write(topics.all.flatMap(\.subscriptions), form, caller, &xml)
    }

    private func listSubscriptionsByTopic(
        _ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter
    ) throws {
        let topic = try topics.get(ResourceName.topic(fromARN: form.required("TopicArn")))
        write(topic.subscriptions, form, caller, &xml)
    }

    private func write(
        _ subscriptions: [Subscription], _ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter
    ) {
        let page = Self.page(subscriptions.sorted { $0.id < $1.id }, after: form["NextToken"], by: \.id)
        xml.members("Subscriptions", page.items) { xml, subscription in
            xml.element(
                "SubscriptionArn", caller.subscriptionARN(topic: subscription.topic, id: subscription.id))
            xml.element("Owner", caller.account)
            xml.element("Protocol", Subscription.protocolName)
            xml.element("Endpoint", subscription.endpoint)
            xml.element("TopicArn", caller.topicARN(subscription.topic))
        }
        if let next = page.next { xml.element("NextToken", next) }
    }

    private func getSubscriptionAttributes(
        _ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter
    ) throws {
        let subscription = try topics.subscription(
            ResourceName.subscription(fromARN: form.required("SubscriptionArn")))
        var attributes = subscription.attributes
        attributes["SubscriptionArn"] = caller.subscriptionARN(topic: subscription.topic, id: subscription.id)
        attributes["TopicArn"] = caller.topicARN(subscription.topic)
        attributes["Owner"] = caller.account
        attributes["Protocol"] = Subscription.protocolName
        attributes["Endpoint"] = subscription.endpoint
        attributes["RawMessageDelivery"] = subscription.isRaw ? "true" : "false"
        attributes["PendingConfirmation"] = "false"
        attributes["ConfirmationWasAuthenticated"] = "true"
        attributes["SubscriptionPrincipal"] = "arn:aws:iam::\(caller.account):root"
        if let filter = subscription.filter { attributes["FilterPolicyScope"] = filter.scope.rawValue }
        xml.map("Attributes", attributes)
    }

    private func setSubscriptionAttributes(_ form: FormParameters) async throws {
        let id = try ResourceName.subscription(fromARN: form.required("SubscriptionArn"))
        try await topics.setAttribute(
            form.required("AttributeName"), form["AttributeValue"] ?? "", ofSubscription: id)
    }

    /// A page of a list that is sorted by a key. The token is the key of the last item of the page before.
    private static func page<Item>(
        _ items: [Item], after token: String?, by key: KeyPath<Item, String>
    ) -> (items: [Item], next: String?) {
        let rest = items.filter { item in token.map { item[keyPath: key] > $0 } ?? true }
        let page = Array(rest.prefix(pageSize))
        return (page, rest.count > page.count ? page.last?[keyPath: key] : nil)
    }
}

// MARK: Publishing

extension SNSOperations {
    /// The message with its attributes; SNS counts no more than this against the limit.
    private static let mostBytes = 262_144

    private func publish(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        if form["PhoneNumber"] != nil {
            throw AWSError.invalidParameter("PhoneNumber Reason: Text messages are not available; publish to a topic.")
        }
        let topic = try ResourceName.topic(fromARN: form["TargetArn"] ?? form.required("TopicArn"))
        _ = try topics.get(topic)
        let notification = try notification(form)
        guard Self.size(notification) <= Self.mostBytes else { throw AWSError.invalidParameter("Message too long") }
        try await topics.publish([notification], to: topic, caller: caller)
        xml.element("MessageId", notification.messageID)
    }

    private func publishBatch(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let topic = try ResourceName.topic(fromARN: form.required("TopicArn"))
        _ = try topics.get(topic)
        let entries = form.items("PublishBatchRequestEntries")
        do throws(AWSError) {
            try BatchRules.check(entries.map { $0["Id"] ?? "" })
        } catch {
            // SNS has the same rules with other names.
            throw AWSError(
                code: error.code.split(separator: ".").last.map(String.init) ?? error.code, error.message)
        }
        var accepted: [(id: String, notification: Notification)] = []
        var failed: [BatchRules.Failure] = []
        for entry in entries {
            do throws(AWSError) {
                accepted.append((entry["Id"] ?? "", try notification(entry)))
            } catch {
                failed.append(BatchRules.Failure(id: entry["Id"] ?? "", error: error))
            }
        }
        guard accepted.reduce(0, { $0 + Self.size($1.notification) }) <= Self.mostBytes else {
            throw AWSError(
                code: "BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
        }
        try await topics.publish(accepted.map(\.notification), to: topic, caller: caller)
        xml.members("Successful", accepted) { xml, entry in
            xml.element("Id", entry.id)
            xml.element("MessageId", entry.notification.messageID)
        }
        xml.members("Failed", failed) { xml, failure in
            xml.element("Id", failure.id)
            xml.element("Code", failure.error.code)
            xml.element("Message", failure.error.message)
            xml.element("SenderFault", "true")
        }
    }

    private func notification(_ form: FormParameters) throws(AWSError) -> Notification {
        guard var message = form["Message"], !message.isEmpty else { throw .invalidParameter("Empty message") }
        if form["MessageStructure"] == "json" {
            guard let variants = (try? JSONValue(parsing: message))?.object,
                let standard = variants["default"]?.string
            else {
                throw .invalidParameter("Message Structure - JSON message body failed to parse or has no default entry")
            }
            message = variants[Subscription.protocolName]?.string ?? standard
        } else if let structure = form["MessageStructure"] {
            throw .invalidParameter("MessageStructure Reason: it must be json, not \(structure.prefix(40))")
        }
        if let subject = form["Subject"], subject.isEmpty || subject.count > 100 || subject.contains(where: \.isNewline)
        {
            throw .invalidParameter("Subject")
        }
        try MessageText.check(message, "the message")
        let attributes: [String: MessageAttribute]
        do {
            attributes = try form.messageAttributes()
        } catch  where error.code == "InvalidParameterValue" {
            throw AWSError(code: "ParameterValueInvalid", error.message)
        }
        return Notification(
            messageID: MessageID.make(), message: message, subject: form["Subject"], attributes: attributes)
    }

    private static func size(_ notification: Notification) -> Int {
        notification.attributes.reduce(notification.message.utf8.count) { $0 + $1.key.utf8.count + $1.value.size }
    }
}
