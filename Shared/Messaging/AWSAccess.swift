/// Where SNS and SQS are, and who we are to them.
public struct AWSAccess: Sendable {
    /// One base URL for all, such as `http://127.0.0.1:4566`; `nil` means Amazon's own in the region.
    public let endpoint: String?
    public let region: String
    let credentials: AWSCredentialProvider

    /// - Parameter endpoint: without a slash at its end.
    public init(endpoint: String?, region: String, credentials: AWSCredentialSource) {
        self.endpoint = endpoint
        self.region = region
        self.credentials = AWSCredentialProvider(credentials)
    }

    /// The base URL of a service, `sqs`, `sns` or `sts` (AWS General Reference, "Service endpoints").
    func url(of service: String) -> String {
        endpoint ?? "https://\(service).\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
    }

    /// The first part of an ARN after `arn:` (AWS General Reference, "Amazon Resource Names").
    var partition: String {
        if region.hasPrefix("cn-") { return "aws-cn" }
        return region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
    }
}
