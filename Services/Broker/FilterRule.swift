import Foundation

/// What a rule of a filter policy asks of a value.
///
/// Texts are compared byte by byte: to Swift "é" is the same in one character and in two, to Amazon it isn't.
indirect enum FilterRule: Sendable, Equatable {
    case exact([UInt8])
    /// A value that isn't a text.
    case equals(JSONValue)
    case prefix([UInt8])
    case suffix([UInt8])
    /// In lower case.
    case equalsIgnoreCase([UInt8])
    case wildcard(Wildcard)
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
        case .exact(let wanted): value.string?.utf8.elementsEqual(wanted) ?? false
        case .equals(let wanted): value == wanted
        case .prefix(let start): value.string?.utf8.starts(with: start) ?? false
        case .suffix(let end): value.string?.utf8.suffix(end.count).elementsEqual(end) ?? false
        case .equalsIgnoreCase(let wanted): value.string?.lowercased().utf8.elementsEqual(wanted) ?? false
        case .wildcard(let pattern): value.string.map(pattern.matches) ?? false
        case .numeric(let bounds): value.number.map { number in bounds.allSatisfy { $0.admits(number) } } ?? false
        case .cidr(let range): value.string.map(range.contains) ?? false
        case .exists(let wanted): wanted
        case .anythingBut(let rules): !rules.contains { $0.accepts(value) }
        }
    }

    /// How many values it has, for the complexity of a policy.
    var count: Int { if case .anythingBut(let rules) = self { rules.count } else { 1 } }
}

// MARK: Reading rules

extension FilterRule {
    static let operators: Set = [
        "prefix", "suffix", "equals-ignore-case", "wildcard", "cidr", "exists", "numeric", "anything-but",
    ]

    init(_ json: JSONValue) throws(AWSError) {
        switch json {
        case .string(let text): self = .exact(Array(text.utf8))
        case .number, .bool, .null: self = .equals(json)
        case .array: throw FilterPolicy.invalid("Match value must be String, number, true, false, or null")
        case .object(let members):
            guard members.count == 1, let (name, operand) = members.first else {
                throw FilterPolicy.invalid("Only one key allowed in match expression")
            }
            self = try Self.named(name, operand)
        }
    }

    private static func named(_ name: String, _ operand: JSONValue) throws(AWSError) -> FilterRule {
        switch name {
        case "prefix": return .prefix(Array(try text(operand, name).utf8))
        case "suffix": return .suffix(Array(try text(operand, name).utf8))
        case "equals-ignore-case": return .equalsIgnoreCase(Array(try text(operand, name).lowercased().utf8))
        case "wildcard": return .wildcard(try Wildcard(text(operand, name)))
        // Amazon's own words are those of the prefix.
        case "cidr": return .cidr(try AddressRange(text(operand, "prefix")))
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

    private static func text(_ operand: JSONValue, _ name: String) throws(AWSError) -> String {
        guard let text = operand.string else { throw FilterPolicy.invalid("\(name) match pattern must be a string") }
        return text
    }

    /// `anything-but` takes a value, a list of values, or one of the text rules with a value or a list of them.
    private static func excluded(_ operand: JSONValue) throws(AWSError) -> [FilterRule] {
        var rules: [FilterRule] = []
        switch operand {
        case .array(let values):
            guard !values.isEmpty, values.allSatisfy({ $0.string != nil || $0.number != nil }) else {
                throw FilterPolicy.invalid(
                    "Inside anything but list, start|null|boolean is not supported.")
            }
            for value in values { rules.append(try FilterRule(value)) }
        case .object(let members):
            guard members.count == 1, let (name, value) = members.first else {
                throw FilterPolicy.invalid("Only one key allowed in match expression")
            }
            guard ["prefix", "suffix", "wildcard", "equals-ignore-case"].contains(name) else {
                throw FilterPolicy.invalid("Unsupported anything-but pattern: \(name)")
            }
            let values = value.array ?? [value]
            guard !values.isEmpty else { throw FilterPolicy.invalid("\(name) match pattern must be a string") }
            for value in values { rules.append(try named(name, value)) }
        case .string, .number:
            rules = [try FilterRule(operand)]
        case .bool, .null:
            throw FilterPolicy.invalid("Value of anything-but must be an array or single string/number value.")
        }
        return rules
    }
}

/// A pattern in which `*` stands for any number of characters, and `\*` and `\\` for themselves.
struct Wildcard: Sendable, Equatable {
    /// What stands before the first star, between two, and after the last.
    private let parts: [[UInt8]]

    init(_ pattern: String) throws(AWSError) {
        var parts: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in pattern.utf8 {
            if isEscaped {
                guard byte == UInt8(ascii: "*") || byte == UInt8(ascii: "\\") else {
                    throw FilterPolicy.invalid("Invalid escape character in wildcard: only \\* and \\\\ are known")
                }
                parts[parts.count - 1].append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "*") {
                guard parts.count == 1 || parts.last?.isEmpty == false else {
                    let position = parts.reduce(parts.count - 2) { $0 + $1.count }
                    throw FilterPolicy.invalid("Consecutive wildcard characters at pos \(position)")
                }
                parts.append([])
            } else {
                parts[parts.count - 1].append(byte)
            }
        }
        guard !isEscaped else { throw FilterPolicy.invalid("Invalid escape character at the end of wildcard") }
        self.parts = parts
    }

    /// Each part is looked for from where the one before it ends, so the time is bounded by the sum of the lengths.
    func matches(_ text: String) -> Bool {
        let text = Array(text.utf8)
        guard let first = parts.first, let last = parts.last, parts.count > 1 else { return text == parts.first }
        guard text.count >= first.count + last.count, text.starts(with: first), text.suffix(last.count) == last[...]
        else { return false }
        var rest = text[first.count..<text.count - last.count]
        for part in parts.dropFirst().dropLast() {
            guard let end = Self.end(of: part, in: rest) else { return false }
            rest = rest[end...]
        }
        return true
    }

    /// Where bytes that occur in others end, at the first place; found in one pass, however they repeat themselves
    /// (Knuth, Morris and Pratt, "Fast pattern matching in strings").
    private static func end(of part: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard part.count <= text.count else { return nil }
        // For each byte how many at the part's beginning are also those up to this one.
        var repeated = [0]
        var count = 0
        func advance(_ byte: UInt8) {
            while count > 0, part[count] != byte { count = repeated[count - 1] }
            if part[count] == byte { count += 1 }
        }
        for byte in part.dropFirst() {
            advance(byte)
            repeated.append(count)
        }
        count = 0
        for index in text.indices {
            advance(text[index])
            if count == part.count { return index + 1 }
        }
        return nil
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

        var isLower: Bool { self == .greater || self == .atLeast }
        var isUpper: Bool { self == .less || self == .atMost }
        /// As errors name it.
        var name: String { self == .equal ? "equals" : rawValue }
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
        guard let parts = json.array else {
            throw FilterPolicy.invalid("Value of numeric must be an array.")
        }
        guard let name = parts.first?.string else {
            throw FilterPolicy.invalid("Invalid member in numeric match: \(parts.first.map(written) ?? "]")")
        }
        guard let comparison = Comparison(rawValue: name) else {
            throw FilterPolicy.invalid("Unrecognized numeric range operator: \(name)")
        }
        let first = try bound(comparison, parts.dropFirst().first)
        guard parts.count > 2 else { return [first] }
        guard comparison.isLower else { throw FilterPolicy.invalid("Too many elements in numeric expression") }
        guard let second = parts[2].string else {
            throw FilterPolicy.invalid("Bad value in numeric range: \(written(parts[2]))")
        }
        guard let upper = Comparison(rawValue: second), upper.isUpper else {
            throw FilterPolicy.invalid("Bad numeric range operator: \(second)")
        }
        let last = try bound(upper, parts.dropFirst(3).first)
        guard first.limit < last.limit else { throw FilterPolicy.invalid("Bottom must be less than top") }
        guard parts.count == 4 else { throw FilterPolicy.invalid("Too many terms in numeric range expression") }
        return [first, last]
    }

    private static func bound(_ comparison: Comparison, _ value: JSONValue?) throws(AWSError) -> NumericBound {
        guard let limit = value?.number else {
            throw FilterPolicy.invalid("Value of \(comparison.name) must be numeric")
        }
        guard abs(limit) <= 1e9 else {
            throw FilterPolicy.invalid("Value of \(comparison.name) must be between -10^9 and 10^9")
        }
        return NumericBound(comparison: comparison, limit: limit)
    }

    private static func written(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): number == number.rounded() ? String(format: "%.0f", number) : "\(number)"
        case .string(let text): text
        case .array: "["
        case .object: "{"
        }
    }
}

/// A range of IP addresses, `10.0.0.0/24` or `2001:db8::/32`.
struct AddressRange: Sendable, Equatable {
    private let network: [UInt8]
    private let bits: Int

    init(_ text: String) throws(AWSError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw FilterPolicy.invalid("Malformed CIDR, one '/' required") }
        guard let bits = Int(parts[1]) else {
            throw FilterPolicy.invalid("Malformed CIDR, mask bits must be an integer")
        }
        guard let network = Self.bytes(of: String(parts[0])) else {
            throw FilterPolicy.invalid("Nonstandard IP address: \(parts[0])")
        }
        guard 0...network.count * 8 ~= bits else {
            throw FilterPolicy.invalid("Malformed CIDR, mask bits must not exceed \(network.count * 8)")
        }
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
