import Foundation

/// An input that is read straight from the text of the request: that of the operations that are called for each message.
protocol JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError)
}

extension JSONReader {
    /// Reads the members of an object; those that are `null` count as missing.
    mutating func members(_ each: (inout JSONReader, String) throws(AWSError) -> Void) throws(AWSError) {
        try object { (reader, name) throws(AWSError) in
            if try !reader.null() { try each(&reader, name) }
        }
    }

    mutating func strings() throws(AWSError) -> [String] {
        var strings: [String] = []
        try array { (reader) throws(AWSError) in strings.append(try reader.string()) }
        return strings
    }

    /// Message attributes by name.
    mutating func messageAttributes() throws(AWSError) -> [String: MessageAttribute] {
        var attributes: [String: MessageAttribute] = [:]
        try members { (reader, name) throws(AWSError) in
            var type: String?
            var text: String?
            var binary: Data?
            try reader.members { (reader, member) throws(AWSError) in
                switch member {
                case "DataType": type = try reader.string()
                case "StringValue": text = try reader.string()
                case "BinaryValue":
                    guard let data = Data(base64Encoded: try reader.string()) else {
                        throw .serialization("The BinaryValue of \(name) isn't base64.")
                    }
                    binary = data
                default: try reader.skip()
                }
            }
            attributes[name] = try MessageAttribute(name: name, type: type, text: text, binary: binary)
        }
        return attributes
    }
}

extension AWSError {
    fileprivate static func required<Value>(_ value: Value?, _ name: String) throws(AWSError) -> Value {
        guard let value else { throw .missingParameter(name) }
        return value
    }
}

extension SQSOperations.ReceiveInput: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var url: String?
        var maximum: Int?
        var visibility: Int?
        var wait: Int?
        var names: [String]?
        var systemNames: [String]?
        var messageNames: [String]?
        var attempt: String?
        try reader.members { (reader, name) throws(AWSError) in
            switch name {
            case "QueueUrl": url = try reader.string()
            case "MaxNumberOfMessages": maximum = try reader.integer()
            case "VisibilityTimeout": visibility = try reader.integer()
            case "WaitTimeSeconds": wait = try reader.integer()
            case "AttributeNames": names = try reader.strings()
            case "MessageSystemAttributeNames": systemNames = try reader.strings()
            case "MessageAttributeNames": messageNames = try reader.strings()
            case "ReceiveRequestAttemptId": attempt = try reader.string()
            default: try reader.skip()
            }
        }
        queueURL = try AWSError.required(url, "QueueUrl")
        self.maximum = maximum
        visibilityTimeout = visibility
        waitSeconds = wait
        attributeNames = names
        systemAttributeNames = systemNames
        messageAttributeNames = messageNames
        self.attempt = attempt
    }
}

extension SQSOperations.MessageInput: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var draft = Draft()
        try reader.members { (reader, name) throws(AWSError) in try draft.read(name, &reader) }
        try self.init(draft)
    }

    fileprivate struct Draft {
        var id: String?
        var body: String?
        var delaySeconds: Int?
        var attributes: [String: MessageAttribute]?
        var systemAttributes: [String: MessageAttribute]?
        var deduplicationID: String?
        var group: String?

        mutating func read(_ name: String, _ reader: inout JSONReader) throws(AWSError) {
            switch name {
            case "Id": id = try reader.string()
            case "MessageBody": body = try reader.string()
            case "DelaySeconds": delaySeconds = try reader.integer()
            case "MessageAttributes": attributes = try reader.messageAttributes()
            case "MessageSystemAttributes": systemAttributes = try reader.messageAttributes()
            case "MessageDeduplicationId": deduplicationID = try reader.string()
            case "MessageGroupId": group = try reader.string()
            default: try reader.skip()
            }
        }
    }

    fileprivate init(_ draft: Draft) throws(AWSError) {
        id = draft.id
        body = try AWSError.required(draft.body, "MessageBody")
        delaySeconds = draft.delaySeconds
        attributes = draft.attributes
        systemAttributes = draft.systemAttributes
        deduplicationID = draft.deduplicationID
        group = draft.group
    }
}

extension SQSOperations.SendMessageInput: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var url: String?
        var draft = SQSOperations.MessageInput.Draft()
        try reader.members { (reader, name) throws(AWSError) in
            if name == "QueueUrl" { url = try reader.string() } else { try draft.read(name, &reader) }
        }
        queueURL = try AWSError.required(url, "QueueUrl")
        message = try SQSOperations.MessageInput(draft)
    }
}

extension SQSOperations.BatchInput: JSONInput where Entry: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var url: String?
        var entries: [Entry]?
        try reader.members { (reader, name) throws(AWSError) in
            switch name {
            case "QueueUrl": url = try reader.string()
            case "Entries":
                var read: [Entry] = []
                try reader.array { (reader) throws(AWSError) in read.append(try Entry(&reader)) }
                entries = read
            default: try reader.skip()
            }
        }
        queueURL = try AWSError.required(url, "QueueUrl")
        self.entries = try AWSError.required(entries, "Entries")
    }
}

extension SQSOperations.DeleteInput: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var url: String?
        var handle: String?
        try reader.members { (reader, name) throws(AWSError) in
            switch name {
            case "QueueUrl": url = try reader.string()
            case "ReceiptHandle": handle = try reader.string()
            default: try reader.skip()
            }
        }
        queueURL = try AWSError.required(url, "QueueUrl")
        self.handle = try AWSError.required(handle, "ReceiptHandle")
    }
}

extension SQSOperations.HandleEntry: JSONInput {
    init(_ reader: inout JSONReader) throws(AWSError) {
        var id: String?
        var handle: String?
        try reader.members { (reader, name) throws(AWSError) in
            switch name {
            case "Id": id = try reader.string()
            case "ReceiptHandle": handle = try reader.string()
            default: try reader.skip()
            }
        }
        self.id = try AWSError.required(id, "Entries.Id")
        self.handle = try AWSError.required(handle, "Entries.ReceiptHandle")
    }
}
