terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.0" }
  }
}

provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = { service = "clinic-api", owner = "team-platform", data = "phi" }
  }
}

resource "aws_kms_key" "clinic" {
  description             = "Clinic data at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/clinic/api"
  retention_in_days = 400
  kms_key_id        = aws_kms_key.clinic.arn
}

resource "aws_db_instance" "clinic" {
  identifier              = "clinic-db"
  engine                  = "postgres"
  engine_version          = "17.5"
  instance_class          = "db.t4g.medium"
  allocated_storage       = 100
  db_name                 = "clinic"
  username                = "clinic_rw"
  manage_master_user_password = true
  storage_encrypted       = true
  kms_key_id              = aws_kms_key.clinic.arn
  publicly_accessible     = false
  backup_retention_period = 14
  deletion_protection     = true
  vpc_security_group_ids  = [aws_security_group.database.id]
}

# The old reporting service's own database, never moved.
resource "aws_db_instance" "reports" {
  identifier             = "reports-prod"
  engine                 = "postgres"
  engine_version         = "12.19"
  instance_class         = "db.t3.small"
  allocated_storage      = 20
  username               = "reports_rw"
  password               = "Otter-Lantern-42"
  storage_encrypted      = false
  publicly_accessible    = true
  skip_final_snapshot    = true
  vpc_security_group_ids = [aws_security_group.reports.id]
}
