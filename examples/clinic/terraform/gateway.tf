resource "aws_apigatewayv2_api" "clinic" {
  name          = "clinic"
  protocol_type = "HTTP"

  cors_configuration {
    allow_origins     = ["*"]
    allow_methods     = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    allow_headers     = ["authorization", "content-type"]
    allow_credentials = false
  }
}

resource "aws_apigatewayv2_authorizer" "bearer" {
  api_id           = aws_apigatewayv2_api.clinic.id
  name             = "bearer"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    audience = ["clinic-api"]
    issuer   = "https://login.clinic.example"
  }
}

resource "aws_apigatewayv2_integration" "api" {
  api_id             = aws_apigatewayv2_api.clinic.id
  integration_type   = "HTTP_PROXY"
  integration_method = "ANY"
  integration_uri    = "https://internal.clinic.example/{proxy}"
}

resource "aws_apigatewayv2_route" "patients" {
  api_id             = aws_apigatewayv2_api.clinic.id
  route_key          = "GET /v2/patients"
  target             = "integrations/${aws_apigatewayv2_integration.api.id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.bearer.id
}

resource "aws_apigatewayv2_route" "lab_results" {
  api_id             = aws_apigatewayv2_api.clinic.id
  route_key          = "GET /v2/lab-results/{labResultId}"
  target             = "integrations/${aws_apigatewayv2_integration.api.id}"
  authorization_type = "NONE"
}

# Deployed, and neither in a specification nor called: dormant.
resource "aws_apigatewayv2_route" "kiosk" {
  api_id             = aws_apigatewayv2_api.clinic.id
  route_key          = "POST /v2/kiosk/check-ins"
  target             = "integrations/${aws_apigatewayv2_integration.api.id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.bearer.id
}

resource "aws_apigatewayv2_stage" "production" {
  api_id      = aws_apigatewayv2_api.clinic.id
  name        = "production"
  auto_deploy = true
}
