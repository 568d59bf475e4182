/// Cuts what a process writes into lines; the pieces in which it comes may end anywhere.
struct LineCutter {
    private static let newline = UInt8(ascii: "\n")
    /// Longer lines are cut, so that a process that never ends one can't fill the memory.
    private let longest: Int
    private var rest: [UInt8] = []

    init(longest: Int = 1 << 20) { self.longest = longest }

    /// The lines that end in these bytes.
    mutating func lines(adding bytes: UnsafeRawBufferPointer) -> [String] {
        var lines: [String] = []
        var left = bytes[...]
        while let end = left.firstIndex(of: Self.newline) {
            rest += left[..<end]
            lines.append(takeRest())
            left = left[(end + 1)...]
        }
        rest += left
        if rest.count >= longest { lines.append(takeRest()) }
        return lines
    }

    /// What has come after the last line's end, if anything; for when no more comes.
    mutating func last() -> String? { rest.isEmpty ? nil : takeRest() }

    private mutating func takeRest() -> String {
        defer { rest.removeAll(keepingCapacity: true) }
        return String(decoding: rest, as: UTF8.self)
    }
}
