import Foundation

/// Where messages go that could not be processed, and after how many receives.
struct RedrivePolicy: Sendable, Equatable {
    let queue: String
    let maxReceiveCount: Int

    /// Reads `{"deadLetterTargetArn": "…", "maxReceiveCount": 5}`; the count may be a string.
    init(_ json: String) throws(AWSError) {
        func invalid(_ reason: String) -> AWSError {
            .invalidParameterValue("Value \(json) for parameter RedrivePolicy is invalid. Reason: \(reason)")
        }
        guard let object = (try? JSONValue(parsing: json))?.object else {
            throw invalid("It must be a JSON object.")
        }
        guard case .string(let arn) = object["deadLetterTargetArn"], let name = ResourceName.queue(fromARN: arn) else {
            throw invalid("Invalid value for deadLetterTargetArn.")
        }
        let count: Int? =
            switch object["maxReceiveCount"] {
            case .number(let number): Int(exactly: number)
            case .string(let text): Int(text)
            case nil: 10
            default: nil
            }
        guard let count, 1...1000 ~= count else {
            throw invalid("Invalid value for maxReceiveCount: it must be from 1 to 1000.")
        }
        queue = name
        maxReceiveCount = count
    }
}

/// Which queues may have a queue as their dead-letter queue.
enum RedriveAllowPolicy: Sendable, Equatable {
    case allowAll
    case denyAll
    case byQueue(Set<String>)

    /// Reads `{"redrivePermission": "byQueue", "sourceQueueArns": ["…"]}`.
    init(_ json: String) throws(AWSError) {
        func invalid(_ reason: String) -> AWSError {
            .invalidParameterValue("Value \(json) for parameter RedriveAllowPolicy is invalid. Reason: \(reason)")
        }
        guard let object = (try? JSONValue(parsing: json))?.object else { throw invalid("It must be a JSON object.") }
        let sources = object["sourceQueueArns"]
        switch object["redrivePermission"]?.string {
        case "allowAll" where sources == nil: self = .allowAll
        case "denyAll" where sources == nil: self = .denyAll
        case "byQueue":
            let names = (sources?.array ?? []).map { $0.string.flatMap(ResourceName.queue(fromARN:)) }
            guard 1...10 ~= names.count, !names.contains(nil) else {
                throw invalid("sourceQueueArns must be 1 to 10 ARNs of queues.")
            }
            self = .byQueue(Set(names.compactMap(\.self)))
        case "allowAll", "denyAll": throw invalid("sourceQueueArns is for the redrivePermission byQueue alone.")
        default: throw invalid("redrivePermission must be allowAll, denyAll or byQueue.")
        }
    }

    func allows(_ source: String) -> Bool {
        switch self {
        case .allowAll: true
        case .denyAll: false
        case .byQueue(let names): names.contains(source)
        }
    }
}
