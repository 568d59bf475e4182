/// The actions on subscriptions.
extension SNSOperations {
    func subscribe(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let topic = try ResourceName.topic(fromARN: form.required("TopicArn"))
        _ = try topics.get(topic)
        let name = try form.required("Protocol")
        guard let kind = Subscription.Kind(rawValue: name) else {
            throw AWSError.invalidParameter("Amazon SNS does not support this protocol string: \(name.prefix(40))")
        }
        let attributes: SubscriptionAttributes
        do {
            attributes = try SubscriptionAttributes(form.map("Attributes"))
        } catch {
            throw error.amongAttributes
        }
        let wanted = try Subscription(
            id: MessageID.make(), topic: topic, region: caller.region, kind: kind, endpoint: form.required("Endpoint"),
            attributes: attributes, consent: kind.isHTTP ? .asked(.pending, at: topics.clock.now()) : .init())
        let subscription = try await topics.subscribe(wanted, caller: caller)
        let isShown = subscription.consent.state == .confirmed || form["ReturnSubscriptionArn"]?.lowercased() == "true"
        xml.element("SubscriptionArn", isShown ? arn(subscription, caller) : "pending confirmation")
    }

    func confirmSubscription(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let subscription = try await topics.confirm(
            form.required("Token"), of: ResourceName.topic(fromARN: form.required("TopicArn")),
            guardingUnsubscribe: form["AuthenticateOnUnsubscribe"]?.lowercased() == "true", caller: caller)
        // Whoever follows an address has no region; the subscription has.
        xml.element("SubscriptionArn", subscription.arn(account: caller.account))
    }

    func unsubscribe(_ form: FormParameters, _ caller: Caller) async throws {
        try await topics.unsubscribe(
            ResourceName.subscription(fromARN: form.required("SubscriptionArn")), caller: caller)
    }

    func listSubscriptions(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        write(topics.all.flatMap(\.subscriptions), form, caller, &xml)
    }

    func listSubscriptionsByTopic(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        let topic = try topics.get(ResourceName.topic(fromARN: form.required("TopicArn")))
        write(topic.subscriptions, form, caller, &xml)
    }

    private func write(
        _ subscriptions: [Subscription], _ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter
    ) {
        let listed = subscriptions.filter { $0.consent.state != .ended }.sorted { $0.id < $1.id }
        let page = Self.page(listed, after: form["NextToken"], by: \.id)
        xml.members("Subscriptions", page.items) { xml, subscription in
            let isPending = subscription.consent.state == .pending
            xml.element("SubscriptionArn", isPending ? "PendingConfirmation" : arn(subscription, caller))
            xml.element("Owner", caller.account)
            xml.element("Protocol", subscription.kind.rawValue)
            xml.element("Endpoint", subscription.endpoint)
            xml.element("TopicArn", caller.topicARN(subscription.topic))
        }
        if let next = page.next { xml.element("NextToken", next) }
    }

    func getSubscriptionAttributes(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) throws {
        let subscription = try topics.subscription(
            ResourceName.subscription(fromARN: form.required("SubscriptionArn")))
        let (settings, consent) = (subscription.attributes, subscription.consent)
        var attributes = settings.values
        attributes["SubscriptionArn"] = arn(subscription, caller)
        attributes["TopicArn"] = caller.topicARN(subscription.topic)
        attributes["Owner"] = caller.account
        attributes["Protocol"] = subscription.kind.rawValue
        attributes["Endpoint"] = subscription.endpoint
        attributes["RawMessageDelivery"] = settings.isRaw ? "true" : "false"
        attributes["PendingConfirmation"] = consent.state == .pending ? "true" : "false"
        attributes["ConfirmationWasAuthenticated"] = consent.wasAuthenticated ? "true" : "false"
        attributes["SubscriptionPrincipal"] = "arn:aws:iam::\(caller.account):root"
        attributes["FilterPolicyScope"] = settings.filter?.scope.rawValue
        if settings.filter == nil { attributes["FilterPolicy"] = nil }
        if subscription.kind.isHTTP, let topic = topics.find(subscription.topic) {
            let effective = topic.attributes.deliveryPolicy.effective(settings.deliveryPolicy)
            attributes["EffectiveDeliveryPolicy"] = effective.json
        }
        xml.map("Attributes", attributes)
    }

    func setSubscriptionAttributes(_ form: FormParameters) async throws {
        let id = try ResourceName.subscription(fromARN: form.required("SubscriptionArn"))
        try await topics.setAttribute(
            form.required("AttributeName"), form["AttributeValue"] ?? "", ofSubscription: id)
    }

    private func arn(_ subscription: Subscription, _ caller: Caller) -> String {
        caller.subscriptionARN(topic: subscription.topic, id: subscription.id)
    }
}
