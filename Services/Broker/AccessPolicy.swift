/// A policy that says who may do what with a queue or a topic, as `AddPermission` and `RemovePermission` change it. It is
/// kept and shown, and not enforced.
struct AccessPolicy {
    private var document: [String: JSONValue]

    /// In bytes, for each change reads and writes all of it.
    static let largest = 30_720

    /// - Parameters:
    ///   - json: as it was set; `nil` for one that allows nothing yet.
    ///   - id: of a new one.
    init(_ json: String?, id: String) {
        document =
            json.flatMap { try? JSONValue(parsing: $0) }?.object ?? [
                "Version": .string("2008-10-17"), "Id": .string(id),
            ]
    }

    /// One statement may stand without the brackets of a list.
    private var statements: [JSONValue] {
        get {
            guard let statement = document["Statement"] else { return [] }
            return statement.array ?? [statement]
        }
        set { document["Statement"] = .array(newValue) }
    }

    private static func isLabelled(_ label: String) -> (JSONValue) -> Bool {
        { $0.object?["Sid"]?.string == label }
    }

    func contains(_ label: String) -> Bool { statements.contains(where: Self.isLabelled(label)) }

    /// Allows accounts to do something.
    /// - Parameters:
    ///   - actions: with the service in front: `SQS:SendMessage`.
    ///   - resource: the ARN of what it is done with.
    mutating func allow(_ label: String, accounts: [String], actions: [String], on resource: String) {
        let principals = accounts.map { $0.allSatisfy(\.isNumber) ? "arn:aws:iam::\($0):root" : $0 }
        statements.append(
            .object([
                "Sid": .string(label), "Effect": .string("Allow"), "Principal": .object(["AWS": Self.list(principals)]),
                "Action": Self.list(actions), "Resource": .string(resource),
            ]))
    }

    mutating func remove(_ label: String) { statements.removeAll(where: Self.isLabelled(label)) }

    /// One item stands without the brackets.
    private static func list(_ items: [String]) -> JSONValue {
        items.count == 1 ? .string(items[0]) : .array(items.map(JSONValue.string))
    }

    /// As it is kept; empty if it allows nothing.
    var json: String {
        guard !statements.isEmpty else { return "" }
        var json = JSONWriter()
        json.value(.object(document))
        return json.text
    }
}
