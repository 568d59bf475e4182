// The names are the wire's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The requests and answers of SQS that the transport uses, with the names that they have on the wire
/// (AWS JSON protocol, botocore's service model).
enum SQS {
    struct Nothing: Codable {}

    struct Attribute: Codable, Sendable {
        var DataType = "String"
        var StringValue: String?

        init(_ value: String) { StringValue = value }
    }

    struct CreateQueue: Encodable, Sendable {
        let QueueName: String
        let Attributes: [String: String]
        var tags: [String: String]?
    }

    struct DeleteQueue: Encodable, Sendable {
        let QueueUrl: String
    }

    struct TagQueue: Encodable, Sendable {
        let QueueUrl: String
        let Tags: [String: String]
    }

    struct ListQueueTags: Encodable, Sendable {
        let QueueUrl: String

        struct Output: Decodable {
            let Tags: [String: String]?
        }
    }

    struct GetQueueURL: Encodable, Sendable {
        let QueueName: String
    }

    struct QueueURL: Decodable {
        let QueueUrl: String
    }

    struct GetQueueAttributes: Encodable, Sendable {
        let QueueUrl: String
        let AttributeNames: [String]

        struct Output: Decodable {
            let Attributes: [String: String]?
        }
    }

    struct SetQueueAttributes: Encodable, Sendable {
        let QueueUrl: String
        let Attributes: [String: String]
    }

    struct SendMessageBatch: Encodable, Sendable {
        let QueueUrl: String
        let Entries: [Entry]

        struct Entry: Encodable, Sendable {
            let Id: String
            let MessageBody: String
            let DelaySeconds: Int?
            let MessageAttributes: [String: Attribute]
        }
    }

    /// The answer to a batch of any kind.
    struct BatchOutput: Decodable {
        let Successful: [Success]?
        let Failed: [Failure]?

        struct Success: Decodable {
            let Id: String
        }

        struct Failure: Decodable {
            let Id: String
            let Code: String
            let Message: String?
        }
    }

    struct ReceiveMessage: Encodable, Sendable {
        let QueueUrl: String
        let MaxNumberOfMessages: Int
        let WaitTimeSeconds: Int
        let VisibilityTimeout: Int
        var MessageAttributeNames = ["All"]
        var MessageSystemAttributeNames = ["ApproximateReceiveCount", "SentTimestamp"]

        struct Output: Decodable {
            let Messages: [Message]?
        }

        struct Message: Decodable {
            let MessageId: String
            let ReceiptHandle: String
            let Body: String
            let Attributes: [String: String]?
            let MessageAttributes: [String: Attribute]?
        }
    }

    struct DeleteMessageBatch: Encodable, Sendable {
        let QueueUrl: String
        let Entries: [Entry]

        struct Entry: Encodable, Sendable {
            let Id: String
            let ReceiptHandle: String
        }
    }

    struct ChangeMessageVisibility: Encodable, Sendable {
        let QueueUrl: String
        let ReceiptHandle: String
        let VisibilityTimeout: Int
    }

    struct ChangeMessageVisibilityBatch: Encodable, Sendable {
        let QueueUrl: String
        let Entries: [Entry]

        struct Entry: Encodable, Sendable {
            let Id: String
            let ReceiptHandle: String
            let VisibilityTimeout: Int
        }
    }

    struct ListQueues: Encodable, Sendable {
        let QueueNamePrefix: String?
        let MaxResults: Int
        let NextToken: String?

        struct Output: Decodable {
            let QueueUrls: [String]?
            let NextToken: String?
        }
    }

    struct PurgeQueue: Encodable, Sendable {
        let QueueUrl: String
    }
}
