import NIOCore
import ServiceKit
import Testing

@Suite("Server-sent events") struct ServerSentEventTests {
    @Test("An event is its fields, a line for each line of data, and an empty line") func format() {
        var buffer = ByteBuffer()
        ServerSentEvent(id: "7", name: "told", data: "one\ntwo\r\n\rthree\u{2028}four").write(to: &buffer)
        ServerSentEvent(id: "8", name: "told", data: "").write(to: &buffer)
        #expect(
            String(buffer: buffer) == """
                id: 7
                event: told
                data: one
                data: two
                data:\u{20}
                data: three\u{2028}four

                id: 8
                event: told
                data:\u{20}


                """)
    }
}
