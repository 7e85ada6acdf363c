"""Names of resource types that are counted and not read."""

from __future__ import annotations

__all__ = ["OTHER_TYPES"]

#: Of R4 and R4B. Any other name may be a slip of the export, and is not repeated in messages.
OTHER_TYPES = frozenset(
    """
    Account ActivityDefinition AdverseEvent Appointment AppointmentResponse AuditEvent Basic Binary
    BiologicallyDerivedProduct BodyStructure CarePlan CareTeam CatalogEntry ChargeItem ChargeItemDefinition Claim
    ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest CompartmentDefinition Composition
    ConceptMap Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device
    DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
    EffectEvidenceSynthesis Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
    EvidenceVariable ExampleScenario ExplanationOfBenefit Flag Goal GraphDefinition Group GuidanceResponse
    HealthcareService ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide
    InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration
    MedicationDispense MedicationKnowledge MedicationStatement MedicinalProduct MessageDefinition MessageHeader
    MolecularSequence NamingSystem NutritionOrder ObservationDefinition OperationDefinition OperationOutcome
    OrganizationAffiliation Parameters PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner
    PractitionerRole Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition
    ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule
    SearchParameter Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription Substance
    SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet
    VerificationResult VisionPrescription
    """.split()  # noqa: SIM905 - a hundred names in a hundred lines read no better
)
