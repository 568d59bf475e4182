/// An error as Amazon reports it.
///
/// SQS (AWS JSON 1.0) and SNS (Query) name some errors differently; `code` is what SDKs show and what Query answers
/// carry, `shape` is the name in the JSON protocol.
struct AWSError: Error, Equatable {
    /// What SDKs show: in `x-amzn-query-error`, and in the XML of the Query protocol.
    let code: String
    /// The name in the service's model, for `__type`.
    let shape: String
    /// The model that it is from: the service's own, or the one that all services share.
    var namespace = "com.amazonaws.sqs"
    let message: String
    var status = 400
    var isSenderFault = true

    init(code: String, shape: String? = nil, _ message: String, status: Int = 400, isSenderFault: Bool = true) {
        self.code = code
        self.shape = shape ?? code
        self.message = message
        self.status = status
        self.isSenderFault = isSenderFault
    }

    /// An error of SQS whose code in Query answers has the old prefix.
    private static func legacy(_ name: String, shape: String? = nil, _ message: String, status: Int = 400) -> AWSError {
        AWSError(code: "AWS.SimpleQueueService.\(name)", shape: shape ?? name, message, status: status)
    }
}

// All services
extension AWSError {
    private static func common(_ code: String, shape: String, _ message: String, status: Int = 400) -> AWSError {
        var error = AWSError(code: code, shape: shape, message, status: status)
        error.namespace = "com.amazon.coral.service"
        return error
    }

    static func invalidParameterValue(_ message: String) -> AWSError {
        common("InvalidParameterValue", shape: "InvalidParameterValueException", message)
    }
    static func missingParameter(_ name: String) -> AWSError {
        common(
            "MissingParameter", shape: "MissingRequiredParameterException",
            "The request must contain the parameter \(name).")
    }
    static func unknownOperation(_ name: String) -> AWSError {
        common(
            "InvalidAction", shape: "UnknownOperationException",
            "The operation '\(name.prefix(100))' is not known here.")
    }
    static func serialization(_ message: String) -> AWSError {
        common("SerializationException", shape: "SerializationException", message)
    }
    // Who may come in
    static let missingAuthenticationToken = common(
        "MissingAuthenticationToken", shape: "MissingAuthenticationTokenException",
        "Request is missing Authentication Token", status: 403)
    static let invalidClientToken = common(
        "InvalidClientTokenId", shape: "UnrecognizedClientException",
        "The security token included in the request is invalid.", status: 403)
    static func incompleteSignature(_ message: String) -> AWSError {
        common("IncompleteSignature", shape: "IncompleteSignatureException", message)
    }
    /// Also what a request is told whose date is outside of the clock window.
    static func signatureDoesNotMatch(_ message: String) -> AWSError {
        common("SignatureDoesNotMatch", shape: "InvalidSignatureException", message, status: 403)
    }
}

// SQS
extension AWSError {
    static let queueDoesNotExist = legacy(
        "NonExistentQueue", shape: "QueueDoesNotExist", "The specified queue does not exist.")
    static let messageNotInflight = legacy("MessageNotInflight", "The specified message isn't in flight.")
    static let emptyBatch = legacy(
        "EmptyBatchRequest", "There should be at least one entry in the request.")
    static let invalidBatchEntryID = legacy(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )
    static let overLimit = AWSError(
        code: "OverLimit",
        "Too many messages of the queue are in flight; delete some or wait for their visibility timeout.",
        status: 403)

    static func queueNameExists(_ attribute: String) -> AWSError {
        AWSError(
            code: "QueueAlreadyExists", shape: "QueueNameExists",
            "A queue already exists with the same name and a different value for attribute \(attribute)")
    }
    static func purgeInProgress(_ queue: String) -> AWSError {
        legacy(
            "PurgeQueueInProgress", "Only one PurgeQueue operation on \(queue) is allowed every 60 seconds.",
            status: 403)
    }
    static func tooManyEntries(_ count: Int) -> AWSError {
        legacy(
            "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent \(count).")
    }
    static func idsNotDistinct(_ id: String) -> AWSError {
        legacy("BatchEntryIdsNotDistinct", "Id \(id) repeated.")
    }
    static func batchTooLong(_ size: Int, limit: Int) -> AWSError {
        legacy(
            "BatchRequestTooLong", "Batch requests cannot be longer than \(limit) bytes. You have sent \(size) bytes.")
    }
    static let queueDeletedRecently = legacy(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
    static func resourceNotFound(_ message: String) -> AWSError {
        AWSError(code: "ResourceNotFoundException", message, status: 404)
    }
    static func unsupported(_ message: String) -> AWSError { legacy("UnsupportedOperation", message) }
    static func invalidAttributeName(_ name: String) -> AWSError {
        AWSError(code: "InvalidAttributeName", "Unknown Attribute \(name).")
    }
    static func invalidAttributeValue(_ name: String) -> AWSError {
        AWSError(code: "InvalidAttributeValue", "Invalid value for the parameter \(name).")
    }
    static func invalidMessageContents(_ what: String) -> AWSError {
        AWSError(
            code: "InvalidMessageContents",
            "Invalid characters in \(what): a message may hold #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF."
        )
    }
    static func receiptHandleIsInvalid(_ handle: String) -> AWSError {
        AWSError(
            code: "ReceiptHandleIsInvalid",
            "The input receipt handle \"\(handle.prefix(1024))\" is not a valid receipt handle.")
    }
    static func receiptHandleHasExpired(_ handle: String) -> AWSError {
        invalidParameterValue(
            "Value \(handle) for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
    }
    static let noDeduplicationID = invalidParameterValue(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
    static func notForThisType(_ value: String, _ parameter: String) -> AWSError {
        invalidParameterValue(
            "Value \(value.prefix(200)) for parameter \(parameter) is invalid. Reason: The request include parameter that is not valid for this queue type."
        )
    }
    static func notAvailableForVisibility(_ handle: String) -> AWSError {
        invalidParameterValue(
            "Value \(handle) for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
        )
    }
}

// The broker's own
extension AWSError {
    static let unavailable = AWSError(
        code: "ServiceUnavailable", "Nothing was saved: the disk is full or can't be written. Try again later.",
        status: 503, isSenderFault: false)
    static let internalFailure = AWSError(
        code: "InternalFailure", "The broker failed; its log says why.", status: 500, isSenderFault: false)
}

// SNS
extension AWSError {
    static let noTopic = AWSError(code: "NotFound", "Topic does not exist", status: 404)
    static let noSubscription = AWSError(code: "NotFound", "Subscription does not exist", status: 404)
    static let noResource = AWSError(code: "ResourceNotFound", "Resource does not exist", status: 404)
    static let tagLimit = AWSError(
        code: "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
    static func authorization(_ message: String) -> AWSError {
        AWSError(code: "AuthorizationError", message, status: 403)
    }
    static func invalidParameter(_ message: String) -> AWSError {
        AWSError(code: "InvalidParameter", "Invalid parameter: \(message)")
    }
}
