import Testing

@testable import Broker

struct JSONReaderTests {
    @Test(arguments: [
        (#"{"a":[1,-2.5e3,true,false,null,"x"]}"#, #"{"a": [1, -2500, true, false, null, "x"]}"#),
        (" \n\t{ } ", "{}"), ("[[],[[]]]", "[ [] , [ [] ] ]"), (#""\u00e9\ud83d\ude00\n\/\"""#, #""é😀\u000a/\u0022""#),
        (#"{"a":1,"a":2}"#, #"{"a":2}"#),
    ])
    func equalTextsAreEqual(left: String, right: String) throws {
        #expect(try JSONValue(parsing: left) == JSONValue(parsing: right))
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "1.", "+1", "1e", "tru", "nul", "\"", "\"\\x\"",
        "\"\\ud800\"", "\"\\udc00\"", "\"\\u12\"", "\"a\nb\"", "[1] 2", "'a'", "NaN", "\u{FEFF}1",
        String(repeating: "[", count: 100_000), String(repeating: "9", count: 5000),
    ])
    func whatIsNoJSONIsRefused(text: String) {
        #expect(throws: AWSError.self) { try JSONValue(parsing: text) }
    }

    @Test func invalidUTF8IsRefused() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0x5C, 0x6E, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] {
            #expect(throws: AWSError.self) {
                try JSONReader.read(bytes) { (reader) throws(AWSError) in try reader.string() }
            }
        }
    }

    @Test func inputsAreReadWhateverElseThereIs() throws {
        let text = #"{"Extra":{"a":[{}]},"MaxNumberOfMessages":3,"WaitTimeSeconds":null,"QueueUrl":"http://x/q"}"#
        let input = try JSONReader.read(text.utf8) { (reader) throws(AWSError) in
            try SQSOperations.ReceiveInput(&reader)
        }
        #expect(input.queueURL == "http://x/q")
        #expect(input.maximum == 3)
        #expect(input.waitSeconds == nil)
    }

    @Test(arguments: [
        (#"{"QueueUrl":5}"#, "SerializationException"), (#"{"Entries":[]}"#, "MissingParameter"),
        (#"{"QueueUrl":"q","Entries":[{"Id":"1"}]}"#, "MissingParameter"),
        (#"{"QueueUrl":"q","Entries":{}}"#, "SerializationException"), ("[]", "SerializationException"),
    ])
    func wrongInputsAreNamed(text: String, code: String) throws {
        let error = #expect(throws: AWSError.self) {
            try JSONReader.read(text.utf8) { (reader) throws(AWSError) in
                try SQSOperations.BatchInput<SQSOperations.HandleEntry>(&reader)
            }
        }
        #expect(error?.code == code)
    }
}
