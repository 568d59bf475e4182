/// A subscription's filter policy: which notifications it wants.
///
/// One evaluator serves both scopes: a policy is a tree of conditions on fields, and a field is looked up either among
/// the message attributes or in the JSON body. Reference: "Amazon SNS subscription filter policies".
struct FilterPolicy: Sendable, Equatable {
    enum Scope: String, Sendable {
        case attributes = "MessageAttributes"
        case body = "MessageBody"
    }

    indirect enum Condition: Sendable, Equatable {
        case all([Condition])
        case any([Condition])
        /// One of the rules holds for one of the field's values. The path's names are joined by dots, and a name may
        /// hold some itself: Amazon makes no difference between `{"a.b":…}` and `{"a":{"b":…}}`.
        case field(path: String, rules: [FilterRule])
    }

    let scope: Scope
    let condition: Condition

    private static let mostBytes = 256 * 1024
    private static let mostKeys = 5
    private static let mostCombinations = 150

    /// Reads a policy.
    /// - Parameter isStored: whether it was taken before; then it holds, however complex it is.
    /// - Throws: `InvalidParameter` with what is wrong.
    init(_ json: String, scope: Scope, isStored: Bool = false) throws(AWSError) {
        guard json.utf8.count <= Self.mostBytes else { throw Self.invalid("Filter policy is larger than 256 KB") }
        guard let value = try? JSONValue(parsing: json) else { throw Self.invalid("failed to parse JSON.") }
        guard let members = value.object else { throw Self.invalid("Filter is not an object") }
        guard members.count <= Self.mostKeys else {
            throw Self.invalid("Filter policy can not have more than \(Self.mostKeys) keys")
        }
        self.scope = scope
        var parser = Parser(scope: scope)
        condition = try parser.condition(members, at: nil, depth: 1)
        guard isStored || max(parser.combinations, parser.fields) <= Double(Self.mostCombinations) else {
            throw Self.invalid("Filter policy is too complex")
        }
    }

    func matches(body: String, attributes: [String: MessageAttribute]) -> Bool {
        switch scope {
        case .attributes:
            return Self.holds(condition) { path in attributes[path]?.filterValues ?? [] }
        case .body:
            guard let document = try? JSONValue(parsing: body), document.object != nil else { return false }
            return Self.holds(condition) { path in document.values(at: path[...].utf8) }
        }
    }

    private static func holds(_ condition: Condition, lookingUp values: (String) -> [JSONValue]) -> Bool {
        switch condition {
        case .all(let conditions): conditions.allSatisfy { holds($0, lookingUp: values) }
        case .any(let conditions): conditions.contains { holds($0, lookingUp: values) }
        case .field(let path, let rules):
            rules.contains { [found = values(path)] in $0.holds(for: found) }
        }
    }

    static func invalid(_ reason: String) -> AWSError { .invalidParameter("FilterPolicy: \(reason)") }
}

extension FilterPolicy {
    private struct Parser {
        let scope: Scope
        /// The values of each field times its depth, multiplied for fields that must all match and added up for
        /// alternatives, as Amazon counts. A floating-point number can't overflow.
        var combinations = 1.0
        /// How many fields there are in all: of those with a single value any number is one combination.
        var fields = 0.0

        mutating func condition(
            _ members: [String: JSONValue], at parent: String?, depth: Int
        ) throws(AWSError) -> Condition {
            guard !members.isEmpty || parent == nil else { throw FilterPolicy.invalid("Empty objects are not allowed") }
            var conditions: [Condition] = []
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                let path = parent.map { "\($0).\(name)" } ?? name
                switch value {
                case .array(let alternatives) where Self.isOr(name, alternatives):
                    conditions.append(try either(alternatives, at: parent, depth: depth))
                case .array(let rules):
                    guard !rules.isEmpty else { throw FilterPolicy.invalid("Empty arrays are not allowed") }
                    var parsed: [FilterRule] = []
                    for rule in rules { parsed.append(try FilterRule(rule)) }
                    combinations *= Double(parsed.reduce(0) { $0 + $1.count } * depth)
                    fields += 1
                    conditions.append(.field(path: path, rules: parsed))
                case .object(let nested):
                    guard scope == .body else {
                        throw .invalidParameter(
                            "Filter policy scope MessageAttributes does not support nested filter policy")
                    }
                    conditions.append(try condition(nested, at: path, depth: depth + 1))
                case .null, .bool, .number, .string:
                    throw FilterPolicy.invalid("\"\(name)\" must be an object or an array")
                }
            }
            return .all(conditions)
        }

        private mutating func either(
            _ alternatives: [JSONValue], at parent: String?, depth: Int
        ) throws(AWSError) -> Condition {
            let before = combinations
            var sum = 0.0
            var parsed: [Condition] = []
            for alternative in alternatives {
                combinations = before
                parsed.append(try condition(alternative.object ?? [:], at: parent, depth: depth))
                sum += combinations
            }
            combinations = sum
            return .any(parsed)
        }

        /// `$or` is the operator where it has two or more objects that name fields, and a field of that name elsewhere.
        private static func isOr(_ name: String, _ alternatives: [JSONValue]) -> Bool {
            guard name == "$or", alternatives.count >= 2 else { return false }
            return alternatives.allSatisfy { alternative in
                guard let members = alternative.object else { return false }
                return members.keys.allSatisfy { !FilterRule.operators.contains($0) }
            }
        }
    }
}

// MARK: Looking up values

extension MessageAttribute {
    /// What filters see of an attribute: a `String.Array` as its items, or as the one value that it is; a binary not at all.
    fileprivate var filterValues: [JSONValue] {
        guard case .text(let text) = value else { return [] }
        if type == "String.Array" {
            guard let parsed = try? JSONValue(parsing: text) else { return [] }
            return parsed.array ?? [parsed]
        }
        if type.prefix(while: { $0 != "." }) == "Number" { return Double(text).map { [.number($0)] } ?? [] }
        return [.string(text)]
    }
}

extension JSONValue {
    /// The values at a path, through arrays as well.
    fileprivate func values(at path: Substring.UTF8View) -> [JSONValue] {
        switch self {
        case .array(let items):
            return items.flatMap { $0.values(at: path) }
        case .object(let members):
            var found: [JSONValue] = []
            // It goes by the members, for a path may have more dots than there is to look into.
            for (name, member) in members where path.starts(with: name.utf8) {
                let rest = path.dropFirst(name.utf8.count)
                if rest.isEmpty {
                    found += member.values(at: rest)
                } else if rest.first == UInt8(ascii: ".") {
                    found += member.values(at: rest.dropFirst())
                }
            }
            return found
        case .null, .bool, .number, .string:
            return path.isEmpty ? [self] : []
        }
    }
}
