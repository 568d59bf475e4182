import Foundation
import Messaging
import Testing

@testable import Console

@Suite("Dead letters") struct DeadLetterTests {
    private func letter(_ body: String, _ attributes: [String: String] = [:]) -> DeadLetter {
        DeadLetter(
            ExaminedMessage(
                message: InboundMessage(
                    id: "m-1", receiptHandle: "r", body: body, attributes: attributes, receiveCount: 1), sentAt: nil))
    }

    private let event = #"{"id":"e-1","type":"shop.order.placed.v1","subject":"o-1","correlationid":"c-1","data":{}}"#

    @Test("A dead letter says what it is and why it is there") func reading() {
        let read = letter(event, ["reason": "No such order.", "type": "shop.order.placed.v1"])
        #expect(read.eventId == "e-1" && read.correlationId == "c-1" && read.subject == "o-1")
        #expect(read.reason == "No such order.")
        let other = letter("Dear shop", ["type": "t"])
        #expect(other.eventId == nil && other.type == "t" && other.reason == DeadLetter.silentReason)
    }

    @Test("Sent back it is what it was, without the old reason") func asItWas() throws {
        let back = try Redelivery(of: letter(event, ["reason": "x", "type": "t"]), edited: nil)
        #expect(back.message == OutboundMessage(body: event, attributes: ["type": "t"]))
    }

    @Test("Edited it keeps its id, by which the inbox sees that it has it already") func edited() throws {
        let dead = letter(event, ["type": "shop.order.placed.v1"])
        let body = #"{"id":"e-1","type":"shop.order.placed.v2","data":{"a":1}}"#
        let back = try Redelivery(of: dead, edited: body)
        #expect(back.message == OutboundMessage(body: body, attributes: ["type": "shop.order.placed.v2"]))
        #expect(throws: Redelivery.Refused.self) {
            try Redelivery(of: dead, edited: #"{"id":"e-2","type":"shop.order.placed.v1"}"#)
        }
        #expect(throws: Redelivery.Refused.self) { try Redelivery(of: dead, edited: "not JSON") }
        // What never was a CloudEvent has no id to keep.
        let mended = try Redelivery(of: letter("Dear shop"), edited: body)
        #expect(mended.message.body == body)
    }

    @Test("A selection is by id, by reason or all") func selections() {
        let dead = letter(event, ["reason": "x"])
        #expect(DeadLetterDesk.Selection.ids(["m-1"]).includes(dead))
        #expect(!DeadLetterDesk.Selection.ids(["m-2"]).includes(dead))
        #expect(DeadLetterDesk.Selection.reason("x").includes(dead))
        #expect(!DeadLetterDesk.Selection.reason("y").includes(dead))
        #expect(DeadLetterDesk.Selection.all.includes(dead))
    }
}

@Suite("Log lines") struct LogFolderTests {
    @Test("Only the lines of the correlation id are found, each once") func lines() {
        let text = """
            {"correlation_id":"c-1","message":"one c-1"}
            {"correlation_id":"c-2","message":"about c-1"}
            not JSON c-1
            {"correlation_id":"c-1","message":"two"}
            """
        let lines = LogFolder.lines(in: Data(text.utf8), correlationID: "c-1")
        #expect(lines.map { $0["message"]?.string } == ["one c-1", "two"])
        #expect(LogFolder.lines(in: Data(), correlationID: "c-1").isEmpty)
    }
}
