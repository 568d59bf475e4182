/// What all batch operations have in common.
enum BatchRules {
    /// The bodies and attributes of a batch together.
    static let mostBytes = 1_048_576

    struct Failure: Sendable {
        let id: String
        let error: AWSError
    }

    /// One to ten entries with distinct ids of up to 80 letters, digits, hyphens and underscores.
    static func check(_ ids: [String]) throws(AWSError) {
        guard !ids.isEmpty else { throw .emptyBatch }
        guard ids.count <= 10 else { throw .tooManyEntries(ids.count) }
        guard ids.allSatisfy({ ResourceName.isWellFormed($0, longest: 80) }) else { throw .invalidBatchEntryID }
        var seen: Set<String> = []
        for id in ids where !seen.insert(id).inserted { throw .idsNotDistinct(id) }
    }

    /// The answer of operations that say nothing but which entries succeeded.
    static func answer(_ successful: [String], _ failed: [Failure]) -> JSONWriter {
        var json = JSONWriter()
        json.object { json in
            json.key("Successful")
            json.array(successful) { json, id in json.object { $0.member("Id", id) } }
            write(failed, to: &json)
        }
        return json
    }

    static func write(_ failed: [Failure], to json: inout JSONWriter) {
        guard !failed.isEmpty else { return }
        json.key("Failed")
        json.array(failed) { json, failure in
            json.object { json in
                json.member("Id", failure.id)
                json.member("Code", failure.error.code)
                json.member("Message", failure.error.message)
                json.member("SenderFault", failure.error.isSenderFault)
            }
        }
    }
}

/// Which characters a message may hold.
enum MessageText {
    /// What ids of groups, of deduplication and of attempts are made of: up to 128 letters, digits and punctuation.
    static func checkToken(_ text: String, _ parameter: String) throws(AWSError) {
        guard !text.isEmpty, text.utf8.count <= 128, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw .invalidParameterValue(
                "Value \(text.prefix(200)) for parameter \(parameter) is invalid. Reason: \(parameter) can only include alphanumeric and punctuation characters. 1 to 128 in length."
            )
        }
    }

    /// Tab, line feed, carriage return and everything from a space on, but for U+FFFE and U+FFFF.
    static func check(_ text: String, _ what: String) throws(AWSError) {
        var text = text
        let isAllowed = text.withUTF8 { bytes in
            // Mostly all is plain ASCII, and a loop that can't end early finds that out many bytes at a time.
            var others = 0
            for byte in bytes where byte < 0x20 || byte > 0x7E { others += 1 }
            if others == 0 { return true }
            return bytes.indices.allSatisfy { index in
                switch bytes[index] {
                case 0x09, 0x0A, 0x0D, 0x20..<0xBE: true
                case 0..<0x20: false
                // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
                case 0xBE, 0xBF: index < 2 || bytes[index - 2] != 0xEF || bytes[index - 1] != 0xBF
                default: true
                }
            }
        }
        guard isAllowed else { throw .invalidMessageContents(what) }
    }
}
