"""messages: huge JSON dumps into the DynamoDB table and the OpenSearch index named after the file."""
