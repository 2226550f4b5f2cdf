"""The only room that imports boto3; vendor errors become domain errors here."""
