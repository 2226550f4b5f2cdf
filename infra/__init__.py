"""What Stepwell stands on: the CloudFormation template and the local cloud made from it."""
