"""What Maven needs to put a real OpenSearch node together: pom.xml and a launcher."""
