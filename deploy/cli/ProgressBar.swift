import Foundation

/// Says on standard error how far a run is: with a bar on a terminal, otherwise with a line now and then.
struct ProgressBar: Sendable {
    private static let width = 24
    /// Between two lines where there is no terminal.
    private static let pause = Duration.seconds(10)

    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastLine = Duration.zero

    mutating func show(done: Int, of count: Int, after time: Duration, _ text: String) {
        if isTerminal {
            write("\r\(Self.bar(done: done, of: count)) \(text)\u{1B}[K")
        } else if time - lastLine >= Self.pause {
            lastLine = time
            write("\(time.inSeconds(digits: 0)): \(text)\n")
        }
    }

    /// Takes the bar away, for what is printed next.
    func clear() {
        if isTerminal { write("\r\u{1B}[K") }
    }

    static func bar(done: Int, of count: Int) -> String {
        let share = count > 0 ? min(Double(done) / Double(count), 1) : 0
        let filled = Int(share * Double(width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        return "\(bar) \(Int(share * 100)) %"
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
