// Starts Swagger UI. In a file of its own because the page's policy allows no
// inline script.
"use strict";

SwaggerUIBundle({
  url: new URL("openapi.yaml", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0, // the schemas are there, folded
  displayRequestDuration: true,
  persistAuthorization: false, // a token does not outlive the page
  queryConfigEnabled: false, // a link must not point the page at another contract
  tryItOutEnabled: true,
  validatorUrl: null, // nothing is sent to anybody else
  withCredentials: false,
});
