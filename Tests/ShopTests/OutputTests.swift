import Foundation
import Subprocess
import Testing

@testable import Shop

@Suite struct OutputTests {
    private let plain = LogLine(service: "order", isColoured: false)

    @Test func aJSONLineIsShortened() {
        let line =
            #"{"time":"2026-01-02T03:04:05.678Z","level":"info","service":"order","message":"Confirmed","#
            + #""trace_id":"t","span_id":"s","order_id":"o-1","correlation_id":"c-1"}"#
        #expect(plain.render(line) == "order        | 03:04:05.678 Confirmed correlation_id=c-1 order_id=o-1")
    }

    @Test func whatIsNotWellStandsOut() {
        let line = #"{"time":"2026-01-02T03:04:05Z","level":"error","message":"No broker"}"#
        #expect(plain.render(line) == "order        | 03:04:05 ERROR No broker")
        #expect(LogLine(service: "order", isColoured: true).render(line).contains("\u{1B}[31mERROR\u{1B}[0m"))
    }

    @Test(arguments: ["Fatal error: here", "{not json", #"{"no":"message"}"#, ""])
    func otherLinesStayAsTheyAre(line: String) {
        #expect(plain.render(line) == "order        | \(line)")
    }

    @Test func aLineCannotSteerTheTerminal() {
        #expect(plain.render("a\u{1B}[2J\u{7}b") == #"order        | a\u{1B}[2J\u{07}b"#)
        #expect(plain.render(#"{"message":"a\u001b[2Jb"}"#).contains("\u{1B}") == false)
    }

    @Test(arguments: [1, 2, 3, 7, 100]) func linesAreCutWhereverThePiecesEnd(size: Int) {
        let bytes = Array("eins\n\nzwölf\nno end".utf8)
        var cutter = LineCutter()
        let lines = stride(from: 0, to: bytes.count, by: size).flatMap { start in
            bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { cutter.lines(adding: $0) }
        }
        #expect(lines == ["eins", "", "zwölf"])
        #expect(cutter.last() == "no end")
        #expect(cutter.last() == nil)
    }

    @Test func aLineWithoutAnEndIsCut() {
        var cutter = LineCutter(longest: 10)
        let lines = (1...3).flatMap { _ in Array("12345".utf8).withUnsafeBytes { cutter.lines(adding: $0) } }
        #expect(lines == ["1234512345"])
        #expect(cutter.last() == "12345")
    }

    @Test func aRestartIsSaidInOneLine() {
        let killed = ServiceProcess.notice(
            "email", .signaled(9), after: .milliseconds(12_340), restartIn: .milliseconds(200))
        #expect(killed == "email was killed by signal 9 after 12.3 s; it starts again in 0.2 s.")
        let ended = ServiceProcess.notice("email", .exited(1), after: .zero, restartIn: .seconds(10))
        #expect(ended == "email ended with status 1 after 0.0 s; it starts again in 10.0 s.")
    }

    @Test func theWaitDoublesUpToTenSecondsAndBeginsAnewAfterAGoodWhile() {
        var backoff = Backoff()
        let delays = (0..<8).map { _ in backoff.delay(afterRunningFor: .seconds(1)) }
        #expect(delays == [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].map { .milliseconds($0) })
        #expect(backoff.delay(afterRunningFor: .seconds(30)) == .milliseconds(200))
        #expect(backoff.delay(afterRunningFor: .seconds(1)) == .milliseconds(400))
    }

    @Test func whatIsNotReadyIsNamed() {
        let body = Data(
            #"""
            {"status":"starting","checks":{"broker":{"ready":false,"detail":"no answer"},"database":{"ready":true},\#
            "smtp":{"ready":false}}}
            """#.utf8)
        #expect(Readiness.lack(in: body) == "broker: no answer, smtp")
        #expect(Readiness.lack(in: body, of: ["broker", "order"]) == "broker: no answer")
        #expect(Readiness.lack(in: body, of: ["order"]) == nil)
        #expect(Readiness.lack(in: Data("oh".utf8)) == nil)
    }

    @Test func theAnnouncementHasACommandThatPlacesAnOrder() throws {
        let announcement = Announcement(
            entries: ServiceTable.all, addresses: try Addresses(portOffset: 0), folder: DataFolder("/data"),
            options: " --data /data")
        let text = announcement.text(readyAfter: .milliseconds(840), sku: "TEA-1")
        #expect(text.contains("The shop is ready after 0.84 s."))
        #expect(text.contains("curl -i http://127.0.0.1:8081/orders"))
        #expect(text.contains(#""items":[{"sku":"TEA-1","quantity":1}]"#))
        #expect(text.contains("deploy/shop order --data /data"))
        #expect(!announcement.text(readyAfter: .zero, sku: nil).contains("curl"))
    }

    @Test func residentMemoryIsRead() {
        #expect(MemoryCommand.bytes("VmRSS", in: "Name:\torder\nVmRSS:\t  1024 kB\nThreads:\t3\n") == 1_048_576)
        #expect(MemoryCommand.bytes("VmRSS", in: "Name:\torder\n") == nil)
    }
}
