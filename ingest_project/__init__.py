"""Brings huge dumps, paged APIs and document collections into S3, DynamoDB and OpenSearch."""
