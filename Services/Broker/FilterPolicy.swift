import Foundation

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
        /// One of the rules holds for one of the field's values.
        case field(path: [String], rules: [FilterRule])
    }

    let scope: Scope
    let condition: Condition

    /// Reads a policy.
    /// - Throws: `InvalidParameter` with what is wrong.
    init(_ json: String, scope: Scope) throws(AWSError) {
        guard json.utf8.count <= 256 * 1024, let value = try? JSONValue(parsing: json),
            case .object(let members) = value
        else { throw Self.invalid("failed to parse JSON. A policy is a JSON object of at most 256 KiB.") }
        self.scope = scope
        var parser = Parser(scope: scope)
        condition = try parser.condition(members, at: [])
        guard parser.combinations <= 150 else { throw Self.invalid("Filter policy is too complex") }
    }

    func matches(body: String, attributes: [String: MessageAttribute]) -> Bool {
        switch scope {
        case .attributes:
            return Self.holds(condition) { path in path.first.flatMap { attributes[$0] }?.filterValues ?? [] }
        case .body:
            guard let document = try? JSONValue(parsing: body), document.object != nil else { return false }
            return Self.holds(condition) { path in document.values(at: path[...]) }
        }
    }

    private static func holds(_ condition: Condition, lookingUp values: ([String]) -> [JSONValue]) -> Bool {
        switch condition {
        case .all(let conditions): conditions.allSatisfy { holds($0, lookingUp: values) }
        case .any(let conditions): conditions.contains { holds($0, lookingUp: values) }
        case .field(let path, let rules):
            rules.contains { [found = values(path)] in $0.holds(for: found) }
        }
    }

    fileprivate static func invalid(_ reason: String) -> AWSError { .invalidParameter("FilterPolicy: \(reason)") }

    private struct Parser {
        let scope: Scope
        var combinations = 1

        mutating func condition(_ members: [String: JSONValue], at path: [String]) throws(AWSError) -> Condition {
            guard path.count <= 5 else { throw FilterPolicy.invalid("A policy may be nested five levels deep.") }
            var conditions: [Condition] = []
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                switch value {
                case .array(let alternatives) where name == "$or" && alternatives.allSatisfy({ $0.object != nil }):
                    guard alternatives.count >= 2 else {
                        throw FilterPolicy.invalid("$or must be an array of two or more objects.")
                    }
                    var parsed: [Condition] = []
                    for alternative in alternatives {
                        parsed.append(try condition(alternative.object ?? [:], at: path))
                    }
                    conditions.append(.any(parsed))
                case .array(let rules):
                    guard !rules.isEmpty else { throw FilterPolicy.invalid("Empty arrays are not allowed (\(name)).") }
                    combinations = min(combinations * rules.count, 1000)
                    var parsed: [FilterRule] = []
                    for rule in rules { parsed.append(try FilterRule(rule)) }
                    conditions.append(.field(path: path + [name], rules: parsed))
                case .object(let nested):
                    guard scope == .body else {
                        throw FilterPolicy.invalid(
                            "Filter policy scope MessageAttributes does not support nested filter policy")
                    }
                    guard !nested.isEmpty else {
                        throw FilterPolicy.invalid("Empty objects are not allowed (\(name)).")
                    }
                    conditions.append(try condition(nested, at: path + [name]))
                case .null, .bool, .number, .string:
                    throw FilterPolicy.invalid("\"\(name)\" must be an object or an array")
                }
            }
            return .all(conditions)
        }
    }
}

/// What a rule asks of a value.
indirect enum FilterRule: Sendable, Equatable {
    case equals(JSONValue)
    case prefix(String)
    case suffix(String)
    case equalsIgnoreCase(String)
    case wildcard(String)
    case numeric([NumericBound])
    case cidr(AddressRange)
    case exists(Bool)
    case anythingBut([FilterRule])

    func holds(for values: [JSONValue]) -> Bool {
        if case .exists(let wanted) = self { return values.isEmpty != wanted }
        return values.contains(where: accepts)
    }

    private func accepts(_ value: JSONValue) -> Bool {
        switch self {
        case .equals(let wanted): value == wanted
        case .prefix(let start): value.string?.hasPrefix(start) ?? false
        case .suffix(let end): value.string?.hasSuffix(end) ?? false
        case .equalsIgnoreCase(let wanted): value.string.map { $0.lowercased() == wanted.lowercased() } ?? false
        case .wildcard(let pattern): value.string.map { Self.matches($0, pattern) } ?? false
        case .numeric(let bounds): value.number.map { number in bounds.allSatisfy { $0.admits(number) } } ?? false
        case .cidr(let range): value.string.map(range.contains) ?? false
        case .exists(let wanted): wanted
        case .anythingBut(let rules): !rules.contains { $0.accepts(value) }
        }
    }

    /// `*` stands for any number of characters. The last star tried is the only one to go back to, so the time is
    /// bounded by the product of the lengths.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        let text = Array(text.utf8)
        let pattern = Array(pattern.utf8)
        var position = 0
        var index = 0
        var star: (index: Int, position: Int)?
        while position < text.count {
            if index < pattern.count, pattern[index] == UInt8(ascii: "*") {
                star = (index, position)
                index += 1
            } else if index < pattern.count, pattern[index] == text[position] {
                index += 1
                position += 1
            } else if let last = star {
                star = (last.index, last.position + 1)
                index = last.index + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

// MARK: Reading rules

extension FilterRule {
    init(_ json: JSONValue) throws(AWSError) {
        switch json {
        case .string, .number, .bool, .null: self = .equals(json)
        case .array: throw FilterPolicy.invalid("Match value must be String, number, true, false, or null")
        case .object(let members):
            guard members.count == 1, let (name, operand) = members.first else {
                throw FilterPolicy.invalid("Only one key allowed in match expression")
            }
            self = try Self.named(name, operand)
        }
    }

    private static func named(_ name: String, _ operand: JSONValue) throws(AWSError) -> FilterRule {
        func text() throws(AWSError) -> String {
            guard let text = operand.string else {
                throw FilterPolicy.invalid("\(name) match pattern must be a string")
            }
            return text
        }
        switch name {
        case "prefix": return .prefix(try text())
        case "suffix": return .suffix(try text())
        case "equals-ignore-case": return .equalsIgnoreCase(try text())
        case "wildcard": return .wildcard(try text())
        case "cidr": return .cidr(try AddressRange(try text()))
        case "exists":
            guard case .bool(let wanted) = operand else {
                throw FilterPolicy.invalid("exists match pattern must be either true or false.")
            }
            return .exists(wanted)
        case "numeric": return .numeric(try NumericBound.list(operand))
        case "anything-but": return .anythingBut(try excluded(operand))
        default: throw FilterPolicy.invalid("Unrecognized match type \(name)")
        }
    }

    /// `anything-but` takes a value, a list of values, or one of the text rules with a value or a list of them.
    private static func excluded(_ operand: JSONValue) throws(AWSError) -> [FilterRule] {
        var rules: [FilterRule] = []
        switch operand {
        case .array(let values):
            guard !values.isEmpty, values.allSatisfy({ $0.string != nil || $0.number != nil }) else {
                throw FilterPolicy.invalid("anything-but list must hold strings or numbers")
            }
            rules = values.map { .equals($0) }
        case .object(let members):
            guard members.count == 1, let (name, value) = members.first,
                ["prefix", "suffix", "wildcard", "equals-ignore-case"].contains(name)
            else { throw FilterPolicy.invalid("Value of anything-but must be a value, a list or a text match") }
            for one in value.array ?? [value] { rules.append(try named(name, one)) }
        case .string, .number, .bool, .null:
            rules = [.equals(operand)]
        }
        return rules
    }
}

/// One bound of a `numeric` rule.
struct NumericBound: Sendable, Equatable {
    enum Comparison: String, Sendable {
        case equal = "="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
    }

    let comparison: Comparison
    let limit: Double

    func admits(_ number: Double) -> Bool {
        switch comparison {
        case .equal: number == limit
        case .less: number < limit
        case .atMost: number <= limit
        case .greater: number > limit
        case .atLeast: number >= limit
        }
    }

    /// `["=", 100]`, `[">", 0]` or `[">=", 0, "<", 150]`.
    static func list(_ json: JSONValue) throws(AWSError) -> [NumericBound] {
        guard let parts = json.array, parts.count == 2 || parts.count == 4 else {
            throw FilterPolicy.invalid("numeric match must be an array of one or two comparisons")
        }
        var bounds: [NumericBound] = []
        for start in stride(from: 0, to: parts.count, by: 2) {
            guard let comparison = parts[start].string.flatMap(Comparison.init), let limit = parts[start + 1].number,
                abs(limit) <= 1e9
            else {
                throw FilterPolicy.invalid("numeric match takes =, <, <=, > or >= and a number from -10^9 to 10^9")
            }
            bounds.append(NumericBound(comparison: comparison, limit: limit))
        }
        return bounds
    }
}

/// A range of IP addresses, `10.0.0.0/24` or `2001:db8::/32`.
struct AddressRange: Sendable, Equatable {
    private let network: [UInt8]
    private let bits: Int

    init(_ text: String) throws(AWSError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let network = Self.bytes(of: String(parts[0])), let bits = Int(parts[1]),
            0...network.count * 8 ~= bits
        else { throw FilterPolicy.invalid("Malformed CIDR, one '/' and a prefix length required") }
        self.network = network
        self.bits = bits
    }

    func contains(_ address: String) -> Bool {
        guard let bytes = Self.bytes(of: address), bytes.count == network.count else { return false }
        return (0..<bits).allSatisfy { bit in
            let mask = UInt8(0x80) >> (bit % 8)
            return bytes[bit / 8] & mask == network[bit / 8] & mask
        }
    }

    private static func bytes(of address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes.prefix(4)) }
        return inet_pton(AF_INET6, address, &bytes) == 1 ? bytes : nil
    }
}

// MARK: Looking up values

extension MessageAttribute {
    /// What filters see of an attribute: a `String.Array` as its items; a binary not at all.
    fileprivate var filterValues: [JSONValue] {
        guard case .text(let text) = value else { return [] }
        if type == "String.Array" { return (try? JSONValue(parsing: text))?.array ?? [] }
        if type.prefix(while: { $0 != "." }) == "Number" { return Double(text).map { [.number($0)] } ?? [] }
        return [.string(text)]
    }
}

extension JSONValue {
    /// The values at a path, through arrays as well.
    fileprivate func values(at path: ArraySlice<String>) -> [JSONValue] {
        switch self {
        case .array(let items): items.flatMap { $0.values(at: path) }
        case .object(let members):
            path.first.flatMap { members[$0] }.map { $0.values(at: path.dropFirst()) } ?? []
        case .null, .bool, .number, .string: path.isEmpty ? [self] : []
        }
    }
}
