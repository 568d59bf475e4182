import Foundation
import NIOCore
import Testing

@testable import Shop

@Suite struct LoadTests {
    @Test func anAnswerIsReadOnceItIsWhole() throws {
        let text = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\ncontent-LENGTH: 5\r\n\r\nhello"
        for length in 0..<text.utf8.count {
            var part = ByteBuffer(bytes: text.utf8.prefix(length))
            let answer = try LoadConnection.answer(in: &part)
            #expect(answer == nil)
            #expect(part.readableBytes == length)
        }
        var buffer = ByteBuffer(string: text + "HTTP/1.1")
        let answer = try LoadConnection.answer(in: &buffer)
        #expect(answer == .init(status: 200, body: ByteBuffer(string: "hello")))
        #expect(String(buffer: buffer) == "HTTP/1.1")
    }

    @Test func anAnswerMayComeInChunks() throws {
        var buffer = ByteBuffer(
            string: "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n")
        let answer = try LoadConnection.answer(in: &buffer)
        #expect(answer == .init(status: 403, body: ByteBuffer(string: "abc0123456789")))
        #expect(buffer.readableBytes == 0)
    }

    @Test func whatIsNoHTTPIsAnError() {
        var buffer = ByteBuffer(string: "SSH-2.0-OpenSSH\r\n\r\n")
        #expect(throws: ShopError.self) { try LoadConnection.answer(in: &buffer) }
    }

    @Test(arguments: [64, 100, 200, 1024, 5000])
    func messagesHaveTheirSizeAndAreFound(size: Int) throws {
        let messages = LoadMessages(run: "0123abcd", size: size)
        var request = messages.publishBatch(topic: "arn:aws:sns:r:1:t", count: 10)
        let body = String(decoding: request.body(first: 4_000_000_095, count: 3), as: UTF8.self)
        let texts = try body.split(separator: "&").filter { $0.contains(".Message=") }.map { parameter in
            try #require(parameter.split(separator: "=").last?.removingPercentEncoding)
        }
        #expect(texts.map(\.utf8.count) == [size, size, size])

        let answer =
            #"{"Messages":["#
            + texts.enumerated().map { index, text in
                #"{"ReceiptHandle" : "handle-\#(index)","Body":"\#(text.replacing("\"", with: "\\\""))"}"#
            }.joined(separator: ",") + "]}"
        var found: [Int] = []
        var handles: [String] = []
        Array(answer.utf8).withUnsafeBytes { bytes in
            messages.find(in: bytes) {
                found.append($0)
            } handle: {
                handles.append(String(decoding: $0, as: UTF8.self))
            }
        }
        #expect(found == [4_000_000_095, 4_000_000_096, 4_000_000_097])
        #expect(handles == ["handle-0", "handle-1", "handle-2"])
    }

    @Test func theLedgerCountsWhatCameTwiceAndWhatNobodySent() {
        var ledger = LoadLedger(messages: 2, queues: 2)
        ledger.publishing(0, at: 1)
        let areKnown = [
            ledger.received(0, from: 0, at: 2, isMeasured: true), ledger.received(0, from: 0, at: 3, isMeasured: true),
            ledger.received(0, from: 1, at: 3, isMeasured: true), ledger.received(1, from: 1, at: 3, isMeasured: true),
            ledger.received(7, from: 1, at: 3, isMeasured: true),
        ]
        #expect(areKnown == [true, true, true, false, false], "the last two were not published")
        #expect(ledger.distinct == [1, 1])
        #expect(ledger.duplicates == 1)
    }

    @Test func theServerIsFoundByItsPort() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
               1: 0100007F:11D6 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
               2: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
            """
        #expect(ServerProcess.inodes(listening: 4566, in: table) == ["4711"])
        #expect(ServerProcess.ticks(in: "1 (a (b) c) S 1 1 1 0 -1 4194560 100 0 0 0 70 30 0 0 20 0") == 100)
    }
}
