import Foundation

/// Amazon SQS in the older Query protocol: a form in, XML out. The form is turned into the input of the JSON protocol,
/// and the answer back, so that there is one table of operations.
enum SQSQuery {
    static let version = "2012-11-05"
    static let namespace = "http://queue.amazonaws.com/doc/2012-11-05/"

    /// Runs an action and writes the content of its result.
    /// - Parameter path: where the request was sent: clients of this protocol may name the queue by that alone.
    /// - Throws: ``AWSError``.
    static func run(
        _ action: String, _ form: FormParameters, path: String, _ operations: SQSOperations, _ caller: Caller
    ) async throws -> XMLWriter {
        let parameters = form.byName
        var input = members(parameters, action)
        if let entries = parameters["\(action)RequestEntry"] {
            input["Entries"] = .array(entries.numbered.map { .object(members($0.byName, action)) })
        }
        if input["QueueUrl"] == nil, path.count > 1 { input["QueueUrl"] = .string(caller.baseURL + path) }
        var json = JSONWriter()
        json.value(.object(input))
        let answer = try await operations.run(action, Data(json.bytes), caller)
        var xml = XMLWriter()
        for (name, value) in try JSONValue(parsing: String(decoding: answer, as: UTF8.self)).object ?? [:] {
            write(name, value, action, to: &xml)
        }
        return xml
    }

    // MARK: Input

    /// Lists that the form spells as `Name.1`, `Name.2`.
    private static let lists = [
        "ActionName": "Actions", "AttributeName": "AttributeNames", "AWSAccountId": "AWSAccountIds",
        "MessageAttributeName": "MessageAttributeNames",
        "MessageSystemAttributeName": "MessageSystemAttributeNames", "TagKey": "TagKeys",
    ]
    /// Maps that the form spells as `Name.1.Name=…&Name.1.Value=…`.
    private static let maps = [
        "Attribute": "Attributes", "MessageAttribute": "MessageAttributes",
        "MessageSystemAttribute": "MessageSystemAttributes", "Tag": "Tags",
    ]
    private static let numbers: Set<String> = [
        "DelaySeconds", "MaxNumberOfMessages", "MaxNumberOfMessagesPerSecond", "MaxResults", "VisibilityTimeout",
        "WaitTimeSeconds",
    ]

    /// The members of a request, or of an entry of a batch.
    private static func members(_ parameters: [String: FormParameters], _ action: String) -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        for (name, parameter) in parameters {
            if let list = lists[name] {
                members[list] = .array(parameter.numbered.compactMap { $0[""].map(JSONValue.string) })
            } else if let map = maps[name] {
                let key = map == "Tags" && action == "CreateQueue" ? "tags" : map
                members[key] = .object(entries(parameter.numbered, of: name))
            } else if parameter[""] == "", lists.values.contains(name) || name == "Entries" {
                // So botocore writes a list of nothing.
                members[name] = .array([])
            } else if let text = parameter[""] {
                // What isn't a number stays text, and the operation says what is wrong.
                let number = numbers.contains(name) ? Int(text).map { JSONValue.number(Double($0)) } : nil
                members[name] = number ?? .string(text)
            }
        }
        return members
    }

    private static func entries(_ items: [FormParameters], of name: String) -> [String: JSONValue] {
        var entries: [String: JSONValue] = [:]
        for item in items {
            guard let key = item["Name"] ?? item["Key"] else { continue }
            if name.hasPrefix("Message") {
                var value: [String: JSONValue] = [:]
                for part in ["DataType", "StringValue", "BinaryValue"] {
                    value[part] = item["Value.\(part)"].map(JSONValue.string)
                }
                entries[key] = .object(value)
            } else {
                entries[key] = .string(item["Value"] ?? "")
            }
        }
        return entries
    }

    // MARK: Output

    private static func write(_ name: String, _ value: JSONValue, _ action: String, to xml: inout XMLWriter) {
        switch (name, value) {
        case ("QueueUrls", .array(let urls)), ("queueUrls", .array(let urls)):
            for url in urls { xml.element("QueueUrl", text(url)) }
        case ("Messages", .array(let items)): writeEach("Message", items, action, to: &xml)
        case ("Results", .array(let items)): writeEach("ListMessageMoveTasksResultEntry", items, action, to: &xml)
        case ("Successful", .array(let items)): writeEach("\(action)ResultEntry", items, action, to: &xml)
        case ("Failed", .array(let items)): writeEach("BatchResultErrorEntry", items, action, to: &xml)
        case ("Attributes", .object(let map)): writeMap("Attribute", map, key: "Name", to: &xml)
        case ("MessageAttributes", .object(let map)): writeMap("MessageAttribute", map, key: "Name", to: &xml)
        case ("Tags", .object(let map)): writeMap("Tag", map, key: "Key", to: &xml)
        default: xml.element(name, text(value))
        }
    }

    private static func writeEach(_ name: String, _ items: [JSONValue], _ action: String, to xml: inout XMLWriter) {
        for item in items {
            xml.element(name) { xml in
                for (name, value) in item.object ?? [:] { write(name, value, action, to: &xml) }
            }
        }
    }

    private static func writeMap(_ name: String, _ map: [String: JSONValue], key: String, to xml: inout XMLWriter) {
        for (entry, value) in map.sorted(by: { $0.key < $1.key }) {
            xml.element(name) { xml in
                xml.element(key, entry)
                xml.element("Value") { xml in
                    guard let members = value.object else { return xml.text(text(value)) }
                    for (name, value) in members.sorted(by: { $0.key < $1.key }) { xml.element(name, text(value)) }
                }
            }
        }
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .bool(let isTrue): isTrue ? "true" : "false"
        case .number(let number): number.decimal
        case .null, .array, .object: ""
        }
    }
}
